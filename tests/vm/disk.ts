/** Makes a file a disk with a directory's content, without mounting it: mke2fs(8). */
import { runTool } from "./tool.ts";

const MKE2FS_MS_MAX = 2 * 60_000;

/** A disk that is made from a directory. */
export interface DiskRequest {
  readonly path: string;
  readonly from: string;
  /** What is not used of it takes no room. */
  readonly sizeMib: number;
}

/** Everything on it belongs to root, whoever makes it. */
export function makeDisk({ path, from, sizeMib }: DiskRequest): void {
  const options = ["-q", "-F", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d", from];
  const asRoot = process.getuid?.() === 0 ? [] : ["unshare", "--user", "--map-root-user"];
  runTool([...asRoot, "mke2fs", ...options, path, `${sizeMib}M`], { timeoutMs: MKE2FS_MS_MAX });
}
