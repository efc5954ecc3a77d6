/**
 * Files that are there whole or not at all: written under another name, flushed, renamed, the directory flushed.
 */

import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, openSync, readdirSync, renameSync, rmSync, writeSync } from "node:fs";

/**
 * How names of files begin that are not whole yet; sixteen hexadecimal digits follow. They lie in directories of anybody's,
 * too, and are removed when their writer is gone: nobody else has such names.
 */
export const TEMPORARY = ".tmp-bunker-";

/** Whether a file has a name of {@link writeFileAtomic}'s: it was not renamed, or not yet. */
export const isTemporary = (name: string): boolean => /^\.tmp-bunker-[0-9a-f]{16}$/.test(name);

/**
 * Removes what killed writers have left in a directory. The caller keeps others from writing there meanwhile.
 * @throws node:fs errors: ENOENT
 */
export function removeTemporaries(directory: string): void {
  for (const name of readdirSync(directory))
    if (isTemporary(name)) rmSync(`${directory}/${name}`, { force: true });
}

/** How {@link writeFileAtomic} writes; defaults in brackets. */
export interface AtomicOptions {
  /** [0o600] */
  readonly mode?: number;
  /** False for what can be made again: a power loss may bring the old one back [true]. */
  readonly durable?: boolean;
}

/**
 * Writes `content` to `path`, in place of what is there. A crash leaves the old file or the new one; at worst another
 * file with a name that begins with ".tmp-bunker-" beside it. When it returns, no power loss takes the new one away.
 * @throws node:fs errors
 */
export function writeFileAtomic(
  path: string,
  content: string | Uint8Array,
  options: AtomicOptions = {},
): void {
  const slash = path.lastIndexOf("/");
  const temporary = `${path.slice(0, slash + 1)}${TEMPORARY}${randomBytes(8).toString("hex")}`;
  try {
    const fd = openSync(temporary, "wx", options.mode ?? 0o600);
    try {
      const bytes = typeof content === "string" ? Buffer.from(content) : content;
      for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  if (options.durable !== false) flushDirectory(path.slice(0, slash + 1) || ".");
}

/** Has the disk keep a new name, where the file system can be asked to and the directory may be read. */
function flushDirectory(path: string): void {
  try {
    const fd = openSync(path, "r");
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (!["EACCES", "EINVAL"].includes(String((error as NodeJS.ErrnoException).code))) throw error;
  }
}
