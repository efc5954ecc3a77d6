/** Says why nothing can be written where the user wants it: to standard output, or to a file that an option names. */
import { UsageError } from "../errors.ts";

/** What it is called in messages, where it is no file. */
export const STANDARD_OUTPUT = "standard output";

const STATES: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EDQUOT: "the disk quota is used up",
  EFBIG: "it would be larger than a file may be here",
  EIO: "the disk or device fails",
  EISDIR: "it is a directory",
  ENOENT: "there is no such directory",
  ENOSPC: "the disk is full",
  ENOTDIR: "a part of its path is no directory",
  EPERM: "permission denied",
  EPIPE: "nobody reads it any more",
  EROFS: "the file system is read-only",
};

/** The error as one about `place`: {@link STANDARD_OUTPUT} or a quoted path. What the kernel does not say is handed back. */
export function outputError(error: unknown, place: string): unknown {
  const { code } = error as { readonly code?: unknown };
  const state = typeof code === "string" ? STATES[code] : undefined;
  return state === undefined ? error : new UsageError(`Cannot write to ${place}: ${state}`, { cause: error });
}
