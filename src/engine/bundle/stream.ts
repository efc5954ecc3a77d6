/**
 * Text to descriptors at once and completely, by system calls: a runtime writes a line or two and leaves, and loading
 * node:fs for them would cost 1 ms of each start.
 */
import { EAGAIN, EPIPE, errnoName } from "../../linux/abi/errno.ts";
import { AT_FDCWD, O_APPEND, O_CLOEXEC, O_CREAT, O_WRONLY } from "../../linux/abi/fcntl.ts";
import { callRaw, cstr, formatCall, SyscallError } from "../../linux/call.ts";
import { RuntimeError } from "./context.ts";

/** Milliseconds between two tries while a pipe that does not block is full. */
const RETRY_MS = 5;

const LOG_MODE = 0o644;

/** The logs of this process: descriptors that are open, and not the caller's. */
export const logFds = new Set<number>();

/**
 * Opens a log for appending, and makes it if it is missing; no program that is started inherits it.
 * @throws {RuntimeError} when it cannot be opened.
 */
export function openLogFile(path: string): number {
  const fd = callRaw("openat", AT_FDCWD, cstr(path), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, LOG_MODE);
  if (fd < 0) {
    throw new RuntimeError(`Cannot open the log "${path}": ${errnoName(-fd)}`, {
      hint: "Name a file in a directory that exists and can be written to",
    });
  }
  logFds.add(fd);
  return fd;
}

/**
 * Writes `text`, however long; a reader that has gone away is not an error.
 * @throws {SyscallError} EBADF, ENOSPC …
 */
export function writeText(fd: number, text: string): void {
  let rest = new TextEncoder().encode(text);
  while (rest.length > 0) {
    const written = callRaw("write", fd, rest, rest.length);
    if (written >= 0) {
      rest = rest.subarray(written);
    } else if (written === -EAGAIN) {
      // The caller's end may be set to non-blocking by another program that shares it.
      Bun.sleepSync(RETRY_MS);
    } else {
      if (written === -EPIPE) return;
      const text = formatCall("write", [fd, rest, rest.length]);
      throw new SyscallError({ name: "write", text, errno: -written });
    }
  }
}
