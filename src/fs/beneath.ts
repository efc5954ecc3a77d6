/**
 * Opens directories below a root without ever following a symlink: what untrusted archives and images are written
 * and read through. The kernel enforces it (openat2, Linux 5.6); where it cannot, each component is opened by itself.
 */
import { EAGAIN, ENOSYS, EPERM } from "../linux/abi/errno.ts";
import {
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  RESOLVE_BENEATH,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
} from "../linux/abi/fcntl.ts";
import { close, openat, tryOpenat, tryOpenat2 } from "../linux/file.ts";
import { type ByteString, cBytes } from "./byte_string.ts";

/** A rename elsewhere on the machine makes openat2 answer EAGAIN: tried again so often. */
const RETRIES_MAX = 128;

const DIRECTORY = O_PATH | O_DIRECTORY | O_NOFOLLOW;
const STRICT = { flags: DIRECTORY, resolve: RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };

/** False once the kernel, or a seccomp filter, has refused openat2. */
let hasOpenat2 = true;

/**
 * Opens the directory at `path` below `rootFd` with O_PATH.
 * @param path relative, without "." and ".."; "" is the root itself
 * @returns the descriptor, which the caller closes, or the negated error number: ENOENT; ELOOP or ENOTDIR for a
 * component that is a symlink or another file
 */
export function tryOpenBeneath(rootFd: number, path: ByteString): number {
  if (path === "") return tryOpenat(rootFd, ".", { flags: DIRECTORY });
  const bytes = cBytes(path);
  for (let attempt = 0; hasOpenat2; attempt += 1) {
    const fd = tryOpenat2(rootFd, bytes, STRICT);
    if (fd === -ENOSYS || fd === -EPERM) hasOpenat2 = false;
    else if (fd !== -EAGAIN || attempt === RETRIES_MAX) return fd;
  }
  return openByComponents(rootFd, path);
}

/** The same without openat2, one component after the other. */
export function openByComponents(rootFd: number, path: ByteString): number {
  let fd = openat(rootFd, ".", { flags: DIRECTORY });
  for (const name of path.split("/")) {
    const next = tryOpenat(fd, cBytes(name), { flags: DIRECTORY });
    close(fd);
    if (next < 0) return next;
    fd = next;
  }
  return fd;
}
