/**
 * Copies one file, of whatever type, with everything that it has: owner, mode, extended attributes, times. Content is
 * shared where the file system can (FICLONE), else copied inside the kernel.
 */

import { EINVAL, ENOSYS, ENOTSUP, EPERM, EXDEV } from "../linux/abi/errno.ts";
import {
  O_CREAT,
  O_EXCL,
  O_NOFOLLOW,
  O_RDONLY,
  O_WRONLY,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFMT,
  S_IFREG,
} from "../linux/abi/fcntl.ts";
import { FICLONE, S_IFLNK } from "../linux/abi/file.ts";
import { call, callRaw, SyscallError } from "../linux/call.ts";
import {
  Fd,
  fchmodat,
  ftruncate,
  mkdirat,
  mknodat,
  openat,
  type Stat,
  symlinkat,
  tryFchownat,
  tryReadlinkat,
  utimensat,
} from "../linux/file.ts";
import { getxattr, listxattr, tryRemovexattr, trySetxattr } from "../linux/xattr.ts";
import { type ByteString, cBytes } from "./byte_string.ts";

const COPY_SIZE = 1 << 30;
const BUFFER_SIZE = 1 << 18;

/** A name in an open directory; the name has no "/". */
export interface NodePlace {
  readonly dirfd: number;
  readonly name: ByteString;
}

/** What is not worth failing for. */
export interface CopyOptions {
  /** Leave owners as they are created: only one id is mapped [false]. */
  readonly ignoreOwners?: boolean;
  /** Leave out device nodes that cannot be made [false]. */
  readonly skipDevices?: boolean;
  /** Leave out all character and block devices: nothing would guard them in the copy [false]. */
  readonly omitDevices?: boolean;
  /** Copy overlayfs' attributes too: what is copied is itself a layer [false]. */
  readonly keepOverlayXattrs?: boolean;
}

/** True for a directory, by the type bits of its mode. */
export const isDirectory = ({ mode }: Stat): boolean => (mode & S_IFMT) === S_IFDIR;

/**
 * Copies `from`, which is no directory, to `to`, which must not exist.
 * @param stat of `from`
 * @returns false when it was left out
 * @throws {SyscallError} EEXIST, ENOSPC, EPERM for a device
 */
export function copyNode(
  from: NodePlace,
  to: NodePlace,
  details: { stat: Stat; options: CopyOptions },
): boolean {
  const { stat, options } = details;
  const type = stat.mode & S_IFMT;
  const path = cBytes(to.name);
  if (type === S_IFREG) copyContent(from, to, stat.size);
  else if (type === S_IFLNK) symlinkat(readTarget(from), to.dirfd, path);
  else if (!makeNode(to, stat, options)) return false;
  copyAttributes(from, to, details);
  return true;
}

/** Creates the directory `to` as `from` is, without its content; times are for the caller to set at last. */
export function copyDirectory(
  from: NodePlace,
  to: NodePlace,
  details: { stat: Stat; options: CopyOptions },
): void {
  mkdirat(to.dirfd, cBytes(to.name), 0o700);
  copyAttributes(from, to, details);
}

/** Gives `to`, of the same type, what `from` has: owner, mode, extended attributes but overlayfs' own, times. */
export function copyAttributes(
  from: NodePlace,
  to: NodePlace,
  details: { stat: Stat; options: CopyOptions },
): void {
  const { stat, options } = details;
  const path = cBytes(to.name);
  if (options.ignoreOwners !== true) checked("fchownat", tryFchownat(to.dirfd, path, stat));
  clearXattrs(to);
  if ((stat.mode & S_IFMT) !== S_IFLNK) fchmodat(to.dirfd, path, stat.mode & 0o7777);
  copyXattrs(pathByDescriptor(from), pathByDescriptor(to), options.keepOverlayXattrs === true);
  utimensat(to.dirfd, path, stat);
}

/** Path of a name below a descriptor, for calls that have no *at() form. */
export function pathByDescriptor({ dirfd, name }: NodePlace): Buffer {
  return cBytes(`/proc/self/fd/${dirfd}/${name}`);
}

/** True for overlayfs' own attributes, which describe a layer and not a file. */
export function isOverlayXattr(name: ByteString): boolean {
  return name.startsWith("trusted.overlay.") || name.startsWith("user.overlay.");
}

/** Removes what a file has from before, or from the directory that it was created in: access lists are handed on. */
export function clearXattrs(place: NodePlace): void {
  const path = pathByDescriptor(place);
  for (const name of listxattr(path)) {
    const isContent = name.startsWith("user.") || name.startsWith("system.posix_acl_");
    if (isContent && !isOverlayXattr(name)) tryRemovexattr(path, cBytes(name));
  }
}

function copyXattrs(from: Buffer, to: Buffer, keepOverlay: boolean): void {
  for (const name of listxattr(from)) {
    if (isOverlayXattr(name) && !keepOverlay) continue;
    const path = cBytes(name);
    const value = getxattr(from, path);
    const result = value === undefined ? 0 : trySetxattr(to, path, value);
    // The target may lie on a file system, or in a user namespace, that has no such attribute.
    if (result !== -ENOTSUP && result !== -EPERM) checked("lsetxattr", result);
  }
}

function readTarget({ dirfd, name }: NodePlace): Buffer {
  const target = tryReadlinkat(dirfd, cBytes(name));
  if (typeof target === "number") throw failure("readlinkat", target);
  return Buffer.concat([target, Buffer.alloc(1)]);
}

function makeNode({ dirfd, name }: NodePlace, { mode, major, minor }: Stat, options: CopyOptions): boolean {
  const type = mode & S_IFMT;
  if (options.omitDevices === true && (type === S_IFCHR || type === S_IFBLK)) return false;
  try {
    mknodat(dirfd, cBytes(name), { mode, major, minor });
    return true;
  } catch (error) {
    if (options.skipDevices === true && error instanceof SyscallError && error.errno === EPERM) return false;
    throw error;
  }
}

/** False once the file system has said that it cannot share blocks: it is not asked for every file. */
let canClone = true;

function copyContent(from: NodePlace, to: NodePlace, size: number): void {
  using source = new Fd(openat(from.dirfd, cBytes(from.name), { flags: O_RDONLY | O_NOFOLLOW }));
  const how = { flags: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600 };
  using target = new Fd(openat(to.dirfd, cBytes(to.name), how));
  if (size === 0) return;
  if (canClone && callRaw("ioctl", target.number, FICLONE, source.number) === 0) return;
  canClone = false;
  copyRange(source.number, target.number, size);
}

function copyRange(source: number, target: number, size: number): void {
  let done = 0;
  while (done < size) {
    const count = callRaw("copy_file_range", source, null, target, null, Math.min(size - done, COPY_SIZE), 0);
    if (count === 0) break;
    if (
      count === -EXDEV ||
      count === -EINVAL ||
      count === -ENOSYS ||
      count === -ENOTSUP ||
      count === -EPERM
    ) {
      copyThroughMemory(source, target);
      return;
    }
    checked("copy_file_range", count);
    done += count;
  }
  if (done < size) ftruncate(target, size);
}

function copyThroughMemory(source: number, target: number): void {
  const buffer = new Uint8Array(new ArrayBuffer(BUFFER_SIZE));
  for (;;) {
    const length = call("read", source, buffer, buffer.length);
    if (length === 0) return;
    for (let done = 0; done < length; ) {
      const rest = buffer.subarray(done, length);
      done += call("write", target, rest, rest.length);
    }
  }
}

function checked(name: string, result: number): void {
  if (result < 0) throw failure(name, result);
}

function failure(name: string, result: number): SyscallError {
  return new SyscallError({ name, text: `${name}()`, errno: -result });
}
