/** A file for an archive: it gets its name when it is whole, so that whatever ends the process, nothing is left. */
import { dirname } from "node:path";
import { NamelessFile } from "../fs/nameless_file.ts";

/** What an archive holds is nobody else's business until its owner says so. */
const MODE = 0o600;

/** @param path of a file that is there or not; no symlink @throws {SyscallError} and node:fs errors */
export function createNewFile(path: string): NamelessFile {
  // With a slash it can be no file: it is refused before anything is written.
  return NamelessFile.create(path.endsWith("/") ? path : dirname(path), MODE);
}
