/** Looks whether a layer's file can be read: every directory and inode of it, and not what is in the files. */
import { SyscallError } from "../../linux/call.ts";
import { ErofsFiles } from "./erofs_files.ts";
import { LayerDamaged } from "./image_reader.ts";
import { loadDirectories } from "./load_directories.ts";

/** @returns undefined when all is well, or what is wrong */
export function faultOfImage(path: string): string | undefined {
  try {
    using files = new ErofsFiles(path);
    loadDirectories(files);
    return undefined;
  } catch (error) {
    if (error instanceof LayerDamaged) return "its file is damaged";
    // A disk that cannot read it is as bad as one that reads something else.
    if (error instanceof SyscallError) return `its file cannot be read (${error.code})`;
    throw error;
  }
}
