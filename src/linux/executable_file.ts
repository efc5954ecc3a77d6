/** A program as a file on a disk, for machines that forbid executable memfds (sysctl vm.memfd_noexec=2). */
import { AT_FDCWD, O_CLOEXEC, O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } from "./abi/fcntl.ts";
import { call, callRaw, cstr } from "./call.ts";
import { writeAll } from "./memfd.ts";

/** Writes the file, opens it for reading, and takes its name away again. @returns the descriptor. */
export function createExecutableFile(path: string, file: Uint8Array): number {
  // The directory is the state directory: made by whoever comes first, EEXIST for all others.
  callRaw("mkdirat", AT_FDCWD, cstr(path.slice(0, path.lastIndexOf("/"))), 0o700);
  const writer = call(
    "openat",
    AT_FDCWD,
    cstr(path),
    O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC,
    0o700,
  );
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
