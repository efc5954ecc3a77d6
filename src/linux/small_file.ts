/**
 * Small files and directories on the way of `run`, by system calls: loading node:fs takes 0.8 to 1.1 ms at every
 * start (measured), which these few functions spare.
 */

import { EEXIST, ENAMETOOLONG, ENOENT, ENOSPC, ENOTDIR } from "./abi/errno.ts";
import {
  AT_FDCWD,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  O_TRUNC,
  O_WRONLY,
} from "./abi/fcntl.ts";
import { call, callRaw, cstr, formatCall, SyscallError } from "./call.ts";

const CHUNK_SIZE = 65536;
/** Largest file that is read, in bytes; what is larger is no small file. */
const FILE_SIZE_MAX = 16 << 20;
let chunk: Uint8Array | undefined;

/**
 * Bytes of a file of at most 16 MiB; undefined when there is none at the path.
 * @throws {SyscallError} EACCES, EISDIR …
 */
export function readSmallFile(path: string): Uint8Array | undefined {
  const name = cstr(path);
  const fd = callRaw("openat", AT_FDCWD, name, O_RDONLY | O_CLOEXEC);
  if (fd === -ENOENT || fd === -ENOTDIR || fd === -ENAMETOOLONG) return undefined;
  if (fd < 0)
    throw new SyscallError({ name: "openat", text: formatCall("openat", [AT_FDCWD, name]), errno: -fd });
  try {
    return readAll(fd, path);
  } finally {
    call("close", fd);
  }
}

const decoder = new TextDecoder();

/** The same as text (UTF-8). */
export function readSmallText(path: string): string | undefined {
  const bytes = readSmallFile(path);
  return bytes === undefined ? undefined : decoder.decode(bytes);
}

/** Writes `text` to a file with one write(2), as control files of the kernel want it; made with `mode` if missing. */
export function writeSmallFile(path: string, content: string | Uint8Array, mode = 0o644): void {
  const fd = call("openat", AT_FDCWD, cstr(path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  try {
    writeWhole(fd, bytesOf(content), path);
  } finally {
    call("close", fd);
  }
}

/** One call, unless a file system that fills up takes a part only: the next call says so. */
function writeWhole(fd: number, bytes: Uint8Array, path: string): void {
  for (let at = 0; ; ) {
    const count = callRaw("write", fd, at === 0 ? bytes : bytes.slice(at), bytes.length - at);
    if (count < 0) throw new SyscallError({ name: "write", text: `write("${path}")`, errno: -count });
    at += count;
    if (at >= bytes.length) return;
    if (count === 0) throw new SyscallError({ name: "write", text: `write("${path}")`, errno: ENOSPC });
  }
}

/**
 * Puts a file with `content` in the place of what is at `path`, whole or not at all. Not flushed to the disk: for
 * what means nothing after a crash of the machine.
 */
export function replaceSmallFile(path: string, content: string | Uint8Array, mode = 0o600): void {
  const temporary = `${path}.new`;
  const name = cstr(temporary);
  // What a killed process has left, or a link that somebody has put there to have another file written.
  const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  let fd = callRaw("openat", AT_FDCWD, name, flags, mode);
  if (fd === -EEXIST) {
    callRaw("unlinkat", AT_FDCWD, name, 0);
    fd = call("openat", AT_FDCWD, name, flags, mode);
  }
  if (fd < 0)
    throw new SyscallError({ name: "openat", text: formatCall("openat", [AT_FDCWD, name]), errno: -fd });
  try {
    writeWhole(fd, bytesOf(content), temporary);
    call("renameat2", AT_FDCWD, name, AT_FDCWD, cstr(path), 0);
  } catch (error) {
    callRaw("unlinkat", AT_FDCWD, name, 0);
    throw error;
  } finally {
    call("close", fd);
  }
}

const bytesOf = (content: string | Uint8Array): Uint8Array =>
  typeof content === "string" ? cstr(content).subarray(0, -1) : content;

/** faccessat(2): whether something is at the path. */
export const exists = (path: string): boolean => callRaw("faccessat", AT_FDCWD, cstr(path), 0) === 0;

/** Whether a directory is at the path, through symbolic links. */
export function isDirectory(path: string): boolean {
  const fd = callRaw("openat", AT_FDCWD, cstr(path), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) call("close", fd);
  return fd >= 0;
}

function readAll(fd: number, path: string): Uint8Array {
  chunk ??= new Uint8Array(new ArrayBuffer(CHUNK_SIZE));
  let count = readChunk(fd, chunk, path);
  let whole = chunk.slice(0, count);
  while (count === CHUNK_SIZE) {
    count = readChunk(fd, chunk, path);
    const grown = new Uint8Array(whole.length + count);
    grown.set(whole);
    grown.set(chunk.subarray(0, count), whole.length);
    if (grown.length > FILE_SIZE_MAX) throw new RangeError("Cannot read a file of more than 16 MiB");
    whole = grown;
  }
  return whole;
}

function readChunk(fd: number, bytes: Uint8Array, path: string): number {
  const count = callRaw("read", fd, bytes, CHUNK_SIZE);
  if (count < 0) throw new SyscallError({ name: "read", text: `read("${path}")`, errno: -count });
  return count;
}
