/** Finds out, once for a pull, which form of whiteouts the data root's file system takes. */
import { mkdirSync } from "node:fs";
import { AT_FDCWD, O_DIRECTORY, O_RDONLY, S_IFCHR } from "../../linux/abi/fcntl.ts";
import { SyscallError } from "../../linux/call.ts";
import { Fd, mknodat, openat } from "../../linux/file.ts";
import { trySetxattr } from "../../linux/xattr.ts";
import type { UnpackOptions } from "./options.ts";

/** Answers of a file system, or a kernel, that never will. A full disk is another thing: it may have room tomorrow. */
const UNABLE: ReadonlySet<number> = new Set([
  1, // EPERM
  13, // EACCES
  22, // EINVAL
  38, // ENOSYS
  95, // EOPNOTSUPP
]);

/**
 * Tries overlayfs' own form in a directory that must not exist; it stays. An overlay itself, as the root of another
 * container is, takes neither whiteouts nor trusted attributes.
 */
export function chooseWhiteouts(directory: string, inUserNamespace: boolean): UnpackOptions["whiteouts"] {
  const form = inUserNamespace ? "user" : "trusted";
  mkdirSync(directory);
  using fd = new Fd(openat(AT_FDCWD, directory, { flags: O_RDONLY | O_DIRECTORY }));
  const name = `${form}.overlay.opaque`;
  const result = trySetxattr(fd.number, name, Buffer.from("y"));
  if (UNABLE.has(-result)) return "files";
  if (result < 0) throw new SyscallError({ name: "fsetxattr", text: `fsetxattr("${name}")`, errno: -result });
  try {
    mknodat(fd.number, "whiteout", { mode: S_IFCHR });
    return form;
  } catch (error) {
    if (error instanceof SyscallError && UNABLE.has(error.errno)) return "files";
    throw error;
  }
}
