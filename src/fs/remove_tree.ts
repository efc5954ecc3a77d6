/**
 * Removes a directory tree by descriptors: quick, never through a symlink, whatever names and depth it has.
 */

import { EACCES, EISDIR, ENOENT, EPERM } from "../linux/abi/errno.ts";
import { AT_FDCWD, AT_REMOVEDIR, O_DIRECTORY, O_NOFOLLOW, O_PATH, O_RDONLY } from "../linux/abi/fcntl.ts";
import { DT_DIR, DT_UNKNOWN } from "../linux/abi/file.ts";
import { call, cstr, SyscallError } from "../linux/call.ts";
import {
  close,
  type DirectoryEntry,
  Fd,
  openat,
  type Path,
  type Place,
  readDirectory,
  renameat2,
  tryOpenat,
  tryStatx,
  tryUnlinkat,
} from "../linux/file.ts";
import { cBytes } from "./byte_string.ts";

const READ = { flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW };
/** Directories open at once; what lies deeper is moved up first. */
const DEPTH_MAX = 128;

interface Level {
  readonly fd: number;
  readonly name: Path;
  /** Subdirectories still to be removed. */
  readonly directories: Path[];
}

/**
 * Removes `place` and everything below it; nothing when it does not exist. Symlinks are removed, not followed.
 * @throws {SyscallError} EBUSY for a mount point, EACCES, EROFS
 */
export function removeTree(place: Place): void {
  const first = tryUnlinkat(place.dirfd, place.path, 0);
  if (first === 0 || first === -ENOENT) return;
  // Some file systems answer EPERM for a directory (POSIX), Linux' own EISDIR.
  if (first !== -EISDIR && first !== -EPERM) throw unlinkError(place.path, first);
  let deep = 0;
  const levels: Level[] = [enter(place.dirfd, place.path)];
  try {
    for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
      const child = level.directories.pop();
      if (child === undefined) {
        leave(levels, place.dirfd);
      } else if (levels.length < DEPTH_MAX) {
        levels.push(enter(level.fd, child));
      } else {
        const [top = level] = levels;
        let hoisted = "";
        do {
          deep += 1;
          hoisted = `.deep-${process.pid}-${deep}`;
          // Whoever made the tree may have thought of such names.
        } while (tryStatx(top.fd, hoisted) !== -ENOENT);
        renameat2({ dirfd: level.fd, path: child }, { dirfd: top.fd, path: hoisted });
        top.directories.push(hoisted);
      }
    }
  } finally {
    for (const { fd } of levels) close(fd);
  }
}

/** Opens a directory, removes its files, and lists its directories. */
function enter(dirfd: number, name: Path): Level {
  const fd = openForReading(dirfd, name);
  const directories: Path[] = [];
  try {
    for (const entry of readDirectory(fd)) removeEntry(fd, entry, directories);
  } catch (error) {
    close(fd);
    throw error;
  }
  return { fd, name, directories };
}

/** Directories of a rootless container may have no permissions for their owner, who may give them. */
function openForReading(dirfd: number, name: Path): number {
  const fd = tryOpenat(dirfd, name, READ);
  if (fd !== -EACCES) return fd >= 0 ? fd : openat(dirfd, name, READ);
  using handle = new Fd(openat(dirfd, name, { flags: O_PATH | O_DIRECTORY | O_NOFOLLOW }));
  call("fchmodat", AT_FDCWD, cstr(`/proc/self/fd/${handle.number}`), 0o700);
  return openat(dirfd, name, READ);
}

function removeEntry(fd: number, { name, type }: DirectoryEntry, directories: Path[]): void {
  const bytes = cBytes(name);
  if (type === DT_DIR) {
    directories.push(bytes);
    return;
  }
  const result = tryUnlinkat(fd, bytes, 0);
  if (result === 0 || result === -ENOENT) return;
  if (type === DT_UNKNOWN && (result === -EISDIR || result === -EPERM)) directories.push(bytes);
  else throw unlinkError(bytes, result);
}

function leave(levels: Level[], bottomFd: number): void {
  const level = levels.pop();
  if (level === undefined) return;
  close(level.fd);
  const result = tryUnlinkat(levels.at(-1)?.fd ?? bottomFd, level.name, AT_REMOVEDIR);
  if (result !== 0 && result !== -ENOENT) throw unlinkError(level.name, result);
}

function unlinkError(path: Path, result: number): SyscallError {
  const name = typeof path === "string" ? path : Buffer.from(path).toString("utf8", 0, path.length - 1);
  return new SyscallError({ name: "unlinkat", text: `unlinkat(${JSON.stringify(name)})`, errno: -result });
}
