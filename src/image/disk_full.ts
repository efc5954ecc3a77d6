/** Says which limit was met when an image does not fit into the store. */
import { BunkerError } from "../errors.ts";
import { describeFull, diskRoom } from "../fs/disk_room.ts";

/** The kernel has no room left, or no more than what a layer leaves free (unpack/disk_reserve.ts). */
export const DISK_FULL: readonly string[] = ["ENOSPC", "EDQUOT", "DISK_FULL"];

/** What to do about EROFS. */
export const READ_ONLY_HINT = "Make it writable, or use another directory with --root";

const HINTS: readonly (readonly [state: RegExp, hint: string])[] = [
  [/quota/, "Raise the quota, free some space, or move the data to another disk with --root"],
  [/inodes/, "Remove files, or move the data to another disk with --root"],
  [/./, "Free some space, or move the data to another disk with --root"],
];

/** There is no room. */
export class DiskFullError extends BunkerError {
  readonly code = "DISK_FULL";
  /** E.g. `no inodes are left`. */
  readonly state: string;

  constructor(root: string, state: string, cause: unknown) {
    const hint = HINTS.find(([pattern]) => pattern.test(state))?.[1] ?? "";
    super(`Cannot write to "${root}": ${state}`, { cause, hint });
    this.state = state;
  }
}

/**
 * Explains an error that comes from a want of room; others are handed back as they are.
 * @param root the data root, where nothing of what did not fit was given back yet
 */
export function explainFull(root: string, error: unknown): unknown {
  if (error instanceof DiskFullError) return error;
  const isFull = codesOf(error).some((code) => DISK_FULL.includes(code));
  return isFull ? new DiskFullError(root, describeFull(diskRoom(root)), error) : error;
}

/** Codes of an error and its causes, outermost first. */
export function codesOf(error: unknown): string[] {
  const codes: string[] = [];
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code } = at as { code?: unknown };
    if (typeof code === "string") codes.push(code);
  }
  return codes;
}
