/**
 * What a kill in the middle of writeFileAtomic() leaves of records and indices: a file under another name, and perhaps
 * new directories above it.
 */
import { type Dirent, readdirSync, rmdirSync, rmSync } from "node:fs";
import { isTemporary } from "../fs/atomic.ts";

/**
 * Removes files that were never renamed, and directories of records that hold none. The caller holds the lock of
 * lockImages(): whoever writes such a file holds it too.
 */
export function removeUnfinished(root: string): void {
  for (const entry of entriesOf(root)) removeIfTemporary(root, entry);
  for (const entry of entriesOf(`${root}/refs`)) sweep(`${root}/refs`, entry);
}

/** @returns true when it is gone; a repository's name bounds the depth */
function sweep(parent: string, entry: Dirent): boolean {
  if (!entry.isDirectory()) return removeIfTemporary(parent, entry);
  const path = `${parent}/${entry.name}`;
  const kept = entriesOf(path).filter((child) => !sweep(path, child));
  if (kept.length > 0) return false;
  rmdirSync(path);
  return true;
}

function removeIfTemporary(parent: string, entry: Dirent): boolean {
  if (!entry.isFile() || !isTemporary(entry.name)) return false;
  rmSync(`${parent}/${entry.name}`, { force: true });
  return true;
}

function entriesOf(directory: string): Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
