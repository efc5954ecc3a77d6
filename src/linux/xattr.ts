/** Extended attributes by descriptor, or by path without following a last symlink: xattr(7). */
import { call, callRaw, cstr, SyscallError } from "./call.ts";
import type { Path } from "./file.ts";

/** XATTR_LIST_MAX and XATTR_SIZE_MAX of linux/limits.h. */
const BYTES_MAX = 65536;

/** Reused by every call: 64 KiB of new zeros would cost ten times the call. */
let scratch: Buffer | undefined;

function scratchBuffer(): Buffer {
  scratch ??= Buffer.from(new ArrayBuffer(BYTES_MAX));
  return scratch;
}

const bytesOf = (path: Path): Uint8Array => (typeof path === "string" ? cstr(path) : path);

/** What an attribute is set on: an open file, or a path whose last symlink is not followed. */
export type XattrTarget = number | Path;

/** fsetxattr(2) or lsetxattr(2), the negated error number for a failure: ENOTSUP, EPERM, ENOSPC, E2BIG. */
export function trySetxattr(target: XattrTarget, name: Path, value: Uint8Array): number {
  const data = value.length === 0 ? null : value;
  return typeof target === "number"
    ? callRaw("fsetxattr", target, bytesOf(name), data, value.length, 0)
    : callRaw("lsetxattr", bytesOf(target), bytesOf(name), data, value.length, 0);
}

/** Answers that mean that there is no attribute for this process: as good as none. */
const NONE: ReadonlySet<number> = new Set([
  1, // EPERM
  2, // ENOENT
  13, // EACCES
  20, // ENOTDIR
  40, // ELOOP
  61, // ENODATA
  95, // EOPNOTSUPP
]);

/** @throws {SyscallError} when a disk, or memory, keeps the answer back: attributes must not get lost in silence */
function isNone(name: string, result: number): boolean {
  if (result >= 0) return false;
  if (NONE.has(-result)) return true;
  throw new SyscallError({ name, text: `${name}(…)`, errno: -result });
}

/** fgetxattr(2) or lgetxattr(2); undefined when there is no such attribute. @throws {SyscallError} EIO, ENOMEM */
export function getxattr(target: XattrTarget, name: Path): Buffer | undefined {
  const value = scratchBuffer();
  const length =
    typeof target === "number"
      ? callRaw("fgetxattr", target, bytesOf(name), value, value.length)
      : callRaw("lgetxattr", bytesOf(target), bytesOf(name), value, value.length);
  return isNone("getxattr", length) ? undefined : Buffer.from(value.subarray(0, length));
}

/** flistxattr(2) or llistxattr(2): names as latin1 text; none where the file system has none. @throws as {@link getxattr} */
export function listxattr(target: XattrTarget): string[] {
  const list = scratchBuffer();
  const length =
    typeof target === "number"
      ? callRaw("flistxattr", target, list, list.length)
      : callRaw("llistxattr", bytesOf(target), list, list.length);
  return length === 0 || isNone("listxattr", length)
    ? []
    : list.toString("latin1", 0, length - 1).split("\0");
}

/** fremovexattr(2) or lremovexattr(2), the negated error number for a failure: ENODATA, ENOTSUP. */
export function tryRemovexattr(target: XattrTarget, name: Path): number {
  return typeof target === "number"
    ? callRaw("fremovexattr", target, bytesOf(name))
    : callRaw("lremovexattr", bytesOf(target), bytesOf(name));
}

/** fremovexattr(2) or lremovexattr(2). @throws {SyscallError} ENODATA */
export function removexattr(target: XattrTarget, name: Path): void {
  if (typeof target === "number") call("fremovexattr", target, bytesOf(name));
  else call("lremovexattr", bytesOf(target), bytesOf(name));
}
