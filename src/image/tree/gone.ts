/** Trees that change while they are read: a container's own layer. */
import { ELOOP, ENOENT, ENOTDIR, ESTALE } from "../../linux/abi/errno.ts";
import { SyscallError } from "../../linux/call.ts";

/** Errors of a name that went, or became something else, after it was listed. */
const GONE: readonly number[] = [ENOENT, ENOTDIR, ELOOP, ESTALE];

/** What `read` returns; undefined when what it reads is not there any more. */
export function unlessGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof SyscallError && GONE.includes(error.errno)) return undefined;
    throw error;
  }
}
