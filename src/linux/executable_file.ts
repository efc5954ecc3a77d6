/** A program as a file on a disk, for machines that forbid executable memfds (sysctl vm.memfd_noexec=2). */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { AT_FDCWD, O_CLOEXEC, O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } from "./abi/fcntl.ts";
import { call, cstr } from "./call.ts";
import { writeAll } from "./memfd.ts";

/** Writes the file, opens it for reading, and takes its name away again. @returns the descriptor. */
export function createExecutableFile(path: string, file: Uint8Array): number {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const writer = call("openat", AT_FDCWD, cstr(path), O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0o700);
  try {
    writeAll(writer, file);
    const reader = call("openat", AT_FDCWD, cstr(path), O_RDONLY | O_CLOEXEC);
    call("unlinkat", AT_FDCWD, cstr(path), 0);
    return reader;
  } finally {
    // execve(2) refuses a file that is open for writing: ETXTBSY.
    call("close", writer);
  }
}
