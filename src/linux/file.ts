/**
 * Files by descriptor and name: the *at() family, times, owners, locks. One wrapper a call, named as its manual
 * page. O_CLOEXEC is always set; nothing else is.
 */

import { ENOENT } from "./abi/errno.ts";
import { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, O_CLOEXEC, OPEN_HOW_SIZE } from "./abi/fcntl.ts";
import { direntOffsets, STATX_BASIC_STATS, STATX_SIZE, statxOffsets } from "./abi/file.ts";
import { call, callRaw, cstr, formatCall, SyscallError } from "./call.ts";

/** A path for the kernel: text, or bytes that end with a NUL. */
export type Path = string | Uint8Array;

/** An owned descriptor: closed at the end of its `using` block. */
export class Fd implements Disposable {
  readonly number: number;
  #open = true;

  constructor(number: number) {
    this.number = number;
  }

  /** Gives the descriptor away: the caller closes it. */
  release(): number {
    this.#open = false;
    return this.number;
  }

  [Symbol.dispose](): void {
    if (this.#open) close(this.number);
    this.#open = false;
  }
}

const bytesOf = (path: Path): Uint8Array => (typeof path === "string" ? cstr(path) : path);

/** openat(2) with O_CLOEXEC. @throws {SyscallError} */
export function openat(dirfd: number, path: Path, how: { flags: number; mode?: number }): number {
  return call("openat", dirfd, bytesOf(path), how.flags | O_CLOEXEC, how.mode ?? 0);
}

/** {@link openat}, but the negated error number instead of a throw. */
export function tryOpenat(dirfd: number, path: Path, how: { flags: number; mode?: number }): number {
  return callRaw("openat", dirfd, bytesOf(path), how.flags | O_CLOEXEC, how.mode ?? 0);
}

const openHow = new ArrayBuffer(OPEN_HOW_SIZE);
const openHowWords = new Int32Array(openHow);
const openHowBytes = new Uint8Array(openHow);

/**
 * openat2(2) with O_CLOEXEC (Linux 5.6), the negated error number for a failure: EAGAIN and ENOSYS are everyday.
 * @param how `mode` only with O_CREAT; `resolve` RESOLVE_*
 */
export function tryOpenat2(
  dirfd: number,
  path: Path,
  how: { flags: number; mode?: number; resolve: number },
): number {
  openHowWords[0] = how.flags | O_CLOEXEC;
  openHowWords[2] = how.mode ?? 0;
  openHowWords[4] = how.resolve;
  return callRaw("openat2", dirfd, bytesOf(path), openHowBytes, OPEN_HOW_SIZE);
}

/** close(2); errors of a descriptor that is gone anyway are of no use here. */
export function close(fd: number): void {
  callRaw("close", fd);
}

/** mkdirat(2). @throws {SyscallError} EEXIST */
export function mkdirat(dirfd: number, path: Path, mode: number): void {
  call("mkdirat", dirfd, bytesOf(path), mode);
}

/** What mknodat(2) creates: `mode` with its S_IF* bits, device numbers for devices. */
export interface Node {
  readonly mode: number;
  readonly major?: number;
  readonly minor?: number;
}

/** mknodat(2). @throws {SyscallError} EPERM for devices without CAP_MKNOD in the first user namespace */
export function mknodat(dirfd: number, path: Path, node: Node): void {
  call("mknodat", dirfd, bytesOf(path), node.mode, makedev(node.major ?? 0, node.minor ?? 0));
}

/** makedev(3) as the kernel packs it into 32 bits: 12 bits of major, 20 of minor (kdev_t.h, new_encode_dev). */
export function makedev(major: number, minor: number): number {
  return ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xfff00) << 12)) >>> 0;
}

/** symlinkat(2). @throws {SyscallError} EEXIST */
export function symlinkat(target: Path, dirfd: number, path: Path): void {
  call("symlinkat", bytesOf(target), dirfd, bytesOf(path));
}

/** One name in a directory. */
export interface Place {
  readonly dirfd: number;
  readonly path: Path;
}

/** linkat(2); without flags the last component of `from` is not followed. The negated error number for a failure. */
export function tryLinkat(from: Place, to: Place, flags = 0): number {
  return callRaw("linkat", from.dirfd, bytesOf(from.path), to.dirfd, bytesOf(to.path), flags);
}

/** unlinkat(2), the negated error number for a failure. @param flags 0 or AT_REMOVEDIR */
export function tryUnlinkat(dirfd: number, path: Path, flags: number): number {
  return callRaw("unlinkat", dirfd, bytesOf(path), flags);
}

/** renameat2(2). @throws {SyscallError} EEXIST with RENAME_NOREPLACE, ENOTEMPTY */
export function renameat2(from: Place, to: Place, flags = 0): void {
  call("renameat2", from.dirfd, bytesOf(from.path), to.dirfd, bytesOf(to.path), flags);
}

/** readlinkat(2): the target's bytes; the negated error number for a failure, e.g. EINVAL for no symlink. */
export function tryReadlinkat(dirfd: number, path: Path): Buffer | number {
  const target = Buffer.alloc(4096);
  const length = callRaw("readlinkat", dirfd, bytesOf(path), target, target.length);
  return length < 0 ? length : target.subarray(0, length);
}

/** Numeric owner of a file. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** fchownat(2) with AT_SYMLINK_NOFOLLOW, the negated error number for a failure: EINVAL for an id without mapping. */
export function tryFchownat(dirfd: number, path: Path, owner: Owner): number {
  return callRaw("fchownat", dirfd, bytesOf(path), owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW);
}

/** fchown(2), the negated error number for a failure. */
export function tryFchown(fd: number, owner: Owner): number {
  return callRaw("fchown", fd, owner.uid, owner.gid);
}

/** fchmodat(2): follows a symlink in the last component, so the caller knows that there is none. */
export function fchmodat(dirfd: number, path: Path, mode: number): void {
  call("fchmodat", dirfd, bytesOf(path), mode);
}

/** fchmod(2). @throws {SyscallError} */
export function fchmod(fd: number, mode: number): void {
  call("fchmod", fd, mode);
}

/** A struct timespec; `nanoseconds` may be UTIME_OMIT. */
export interface Timespec {
  readonly seconds: number;
  readonly nanoseconds: number;
}

const timespecs = new ArrayBuffer(32);
const timespecWords = new Int32Array(timespecs);
const timespecBytes = new Uint8Array(timespecs);

function putTimespec(word: number, { seconds, nanoseconds }: Timespec): void {
  timespecWords[word] = seconds | 0;
  timespecWords[word + 1] = Math.floor(seconds / 0x1_0000_0000);
  timespecWords[word + 2] = nanoseconds;
}

/**
 * utimensat(2) with AT_SYMLINK_NOFOLLOW; of an open file when `path` is null.
 * @throws {SyscallError}
 */
export function utimensat(
  dirfd: number,
  path: Path | null,
  times: { atime: Timespec; mtime: Timespec },
): void {
  putTimespec(0, times.atime);
  putTimespec(4, times.mtime);
  if (path === null) call("utimensat", dirfd, null, timespecBytes, 0);
  else call("utimensat", dirfd, bytesOf(path), timespecBytes, AT_SYMLINK_NOFOLLOW);
}

/** What statx(2) tells of a file. */
export interface Stat {
  /** With the S_IF* bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly nlink: number;
  readonly size: number;
  /** Blocks of 512 bytes that the file takes: fewer than its size where it has holes. */
  readonly blocks: number;
  /** Device and inode number in one string: equal for names of one file. */
  readonly identity: string;
  readonly atime: Timespec;
  readonly mtime: Timespec;
  readonly major: number;
  readonly minor: number;
}

const statxBuffer = new ArrayBuffer(STATX_SIZE);
const statxBytes = new Uint8Array(statxBuffer);
const statxView = new DataView(statxBuffer);

/** statx(2) without following a last symlink; of `dirfd` itself when `path` is "". The negated error number for a failure. */
export function tryStatx(dirfd: number, path: Path): Stat | number {
  const flags = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;
  const result = callRaw("statx", dirfd, bytesOf(path), flags, STATX_BASIC_STATS, statxBytes);
  return result < 0 ? result : readStatx();
}

function readStatx(): Stat {
  const word = (offset: number): number => statxView.getUint32(offset, true);
  const long = (offset: number): number => word(offset) + word(offset + 4) * 0x1_0000_0000;
  const time = (offset: number): Timespec => ({
    seconds: word(offset) + statxView.getInt32(offset + 4, true) * 0x1_0000_0000,
    nanoseconds: word(offset + 8),
  });
  const at = statxOffsets;
  return {
    mode: statxView.getUint16(at.mode, true),
    uid: word(at.uid),
    gid: word(at.gid),
    nlink: word(at.nlink),
    size: long(at.size),
    blocks: long(at.blocks),
    identity: `${word(at.devMajor)}:${word(at.devMinor)}:${statxView.getBigUint64(at.ino, true)}`,
    atime: time(at.atime),
    mtime: time(at.mtime),
    major: word(at.rdevMajor),
    minor: word(at.rdevMinor),
  };
}

/** pwrite64(2) until all is written. @throws {SyscallError} ENOSPC, EDQUOT, EFBIG */
export function pwriteAll(fd: number, bytes: Uint8Array, offset: number): void {
  let done = 0;
  while (done < bytes.length) {
    const rest = done === 0 ? bytes : bytes.subarray(done);
    done += call("pwrite64", fd, rest, rest.length, offset + done);
  }
}

/** ftruncate(2). @throws {SyscallError} */
export function ftruncate(fd: number, length: number): void {
  call("ftruncate", fd, length);
}

/** One name of a directory with its d_type; the name is bytes as latin1 text. */
export interface DirectoryEntry {
  readonly name: string;
  readonly type: number;
}

const DIRENT_BUFFER_SIZE = 65536;
/** Reused by every call: none of them keeps anything of it. */
let direntBuffer: Uint8Array | undefined;

/** All names of an open directory but "." and "..", in the kernel's order. @throws {SyscallError} */
export function readDirectory(fd: number): DirectoryEntry[] {
  // No Buffer: the first mention of the class takes 0.15 ms (measured), and every container lists /sys/fs/cgroup.
  direntBuffer ??= new Uint8Array(new ArrayBuffer(DIRENT_BUFFER_SIZE));
  const buffer = direntBuffer;
  const entries: DirectoryEntry[] = [];
  for (;;) {
    const length = callRaw("getdents64", fd, buffer, buffer.length);
    // One that was removed since it was opened, as systemd does with control groups, has no names: getdents(2), ENOENT.
    if (length === 0 || length === -ENOENT) return entries;
    if (length < 0) {
      const text = formatCall("getdents64", [fd, buffer, buffer.length]);
      throw new SyscallError({ name: "getdents64", text, errno: -length });
    }
    for (let at = 0; at < length; at += uint16(buffer, at + direntOffsets.reclen)) {
      const start = at + direntOffsets.name;
      const name = String.fromCharCode(...buffer.subarray(start, buffer.indexOf(0, start)));
      const type = buffer[at + direntOffsets.type] ?? 0;
      if (name !== "." && name !== "..") entries.push({ name, type });
    }
  }
}

const uint16 = (bytes: Uint8Array, at: number): number => (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);

/** flock(2), the negated error number for a failure: EAGAIN with LOCK_NB when another holds it. */
export function tryFlock(fd: number, operation: number): number {
  return callRaw("flock", fd, operation);
}

/** fsync(2). @throws {SyscallError} EIO, ENOSPC: what was written may be lost */
export function fsync(fd: number): void {
  call("fsync", fd);
}

/** syncfs(2): everything of the file system that `fd` lies on. @throws {SyscallError} EIO, ENOSPC (Linux 5.8) */
export function syncfs(fd: number): void {
  call("syncfs", fd);
}

/** SYNC_FILE_RANGE_WRITE of linux/fs.h: begin to write, wait for nothing that is not full. */
const SYNC_FILE_RANGE_WRITE = 2;

/** sync_file_range(2): begins to write a range of a file to the disk. The negated error number for a failure. */
export function startWriting(fd: number, offset: number, length: number): number {
  return callRaw("sync_file_range", fd, offset, length, SYNC_FILE_RANGE_WRITE);
}
