/**
 * Memory as a file: memfd_create(2). A program's executable is sealed, so that nothing can write to it, not even
 * through /proc/self/exe from inside the container (CVE-2019-5736); the report page is shared and writable.
 */
import { EACCES, EINVAL, EOPNOTSUPP } from "./abi/errno.ts";
import {
  AT_FDCWD,
  F_ADD_SEALS,
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
  O_CLOEXEC,
  O_CREAT,
  O_NOFOLLOW,
  O_RDWR,
} from "./abi/fcntl.ts";
import { call, callRaw, cstr, SyscallError } from "./call.ts";
import { allocatePages, type Pages } from "./memory.ts";

const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const MFD_EXEC = 0x10;

/**
 * A sealed memfd that holds `file` and may be executed; -1 where the machine forbids executable memfds
 * (sysctl vm.memfd_noexec=2). The descriptor is closed on exec.
 */
export function createExecutableMemfd(name: string, file: Uint8Array): number {
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  let fd = callRaw("memfd_create", cstr(name), flags | MFD_EXEC);
  // Before Linux 6.3 the flag does not exist, and every memfd is executable.
  if (fd === -EINVAL) fd = callRaw("memfd_create", cstr(name), flags);
  if (fd === -EACCES) return -1;
  if (fd < 0) throw new SyscallError({ name: "memfd_create", text: `memfd_create("${name}")`, errno: -fd });
  writeAll(fd, file);
  call("fcntl", fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
  return fd;
}

/** write(2) until everything is written. */
export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length; ) {
    const rest = written === 0 ? bytes : bytes.slice(written);
    written += call("write", fd, rest, rest.length);
  }
}

/** One page that this process and another, which inherits `fd`, see alike. */
export interface SharedPage extends Pages {
  readonly fd: number;
}

/**
 * The page of a file, which is made where it is missing; both outlive this process.
 * @throws {SyscallError} ENOSPC when there is no room for it.
 */
export function openSharedPage(path: string, size: number): SharedPage {
  const fd = call("openat", AT_FDCWD, cstr(path), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600);
  // Room that is there beforehand: a page that a full disk cannot give when it is touched is SIGBUS.
  const allocated = callRaw("fallocate", fd, 0, 0, size);
  if (allocated === -EOPNOTSUPP) call("ftruncate", fd, size);
  else if (allocated < 0) {
    call("close", fd);
    throw new SyscallError({ name: "fallocate", text: `fallocate("${path}")`, errno: -allocated });
  }
  return { fd, ...allocatePages(size, fd) };
}

/** An empty memfd for `content`, written by the caller, read by a program; closed on exec. */
export function createMemfd(name: string): number {
  return call("memfd_create", cstr(name), MFD_CLOEXEC);
}

/** A new zeroed page of `size` bytes; `fd` is closed on exec. */
export function createSharedPage(size: number): SharedPage {
  const fd = call("memfd_create", cstr("report"), MFD_CLOEXEC);
  call("ftruncate", fd, size);
  return { fd, ...allocatePages(size, fd) };
}
