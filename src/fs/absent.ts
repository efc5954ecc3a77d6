/**
 * The difference between "nothing is there" and "it cannot be known": a look-up that a broken disk, or a table of
 * descriptors that is full, refuses must not be taken for a name that is free.
 */
import { ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EXDEV } from "../linux/abi/errno.ts";
import { SyscallError } from "../linux/call.ts";

/** What a process may run out of, whatever it looks at. */
const LACKING: readonly unknown[] = ["EMFILE", "ENFILE", "ENOMEM"];

/** Whether descriptors or memory are lacking: then the error tells nothing of the file that was to be read. */
export const isLacking = (error: unknown): boolean =>
  LACKING.includes((error as { readonly code?: unknown }).code);

/** Answers that mean that there is no such thing at a path whose symlinks are not followed. */
const ABSENT: ReadonlySet<number> = new Set([
  ENOENT,
  EXDEV, // The path would leave its root.
  ENOTDIR,
  ENAMETOOLONG,
  ELOOP, // A component is a symlink.
]);

/** What was looked up. */
export interface LookUp {
  /** The system call. */
  readonly name: string;
  /** For the message. */
  readonly path: string;
}

/**
 * What a call has found; undefined when nothing is there.
 * @param result a negative error number when the call failed
 * @throws {SyscallError} for every other error
 */
export function presentOrThrow<Found>(result: Found | number, { name, path }: LookUp): Found | undefined {
  if (typeof result !== "number") return result;
  if (ABSENT.has(-result)) return undefined;
  throw new SyscallError({ name, text: `${name}(${JSON.stringify(path)})`, errno: -result });
}
