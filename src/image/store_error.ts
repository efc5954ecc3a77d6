/** An image that is made here could not be made or stored. */
import { BunkerError, UsageError } from "../errors.ts";
import { RegistryError } from "../registry/registry_error.ts";
import { codesOf, DISK_FULL, DiskFullError, READ_ONLY_HINT } from "./disk_full.ts";

/** The cause says at which entry, and why. */
export class StoreImageError extends BunkerError {
  /** The code of the cause where it has one, e.g. `"LAYER_INVALID"`; `"DISK_FULL"`. */
  readonly code: string;

  constructor(
    message: string,
    details: { readonly code: string; readonly cause: unknown; readonly hint?: string },
  ) {
    super(message, details);
    this.code = details.code;
  }
}

/** What was tried. */
export interface Attempt {
  readonly cause: unknown;
  readonly signal: AbortSignal;
}

/**
 * Explains what the making of an image met; errors that speak for themselves, and cancellation, are passed through.
 * @param what as in "Cannot import WHAT"
 */
export function storeError(what: string, { cause, signal }: Attempt): unknown {
  if (signal.aborted || !(cause instanceof Error)) return cause;
  if (cause instanceof UsageError || cause instanceof RegistryError || cause instanceof StoreImageError)
    return cause;
  if (cause instanceof DiskFullError) {
    const { code, state, hint = "" } = cause;
    return new StoreImageError(`Cannot ${what}: ${state}`, { code, cause: cause.cause, hint });
  }
  const codes = codesOf(cause);
  if (codes.some((code) => DISK_FULL.includes(code))) {
    const hint = "Free some space, or move the data to another disk with --root";
    return new StoreImageError(`Cannot ${what}: the disk is full`, { code: "DISK_FULL", cause, hint });
  }
  if (codes.includes("EROFS")) {
    const details = { code: "READ_ONLY", cause, hint: READ_ONLY_HINT };
    return new StoreImageError(`Cannot ${what}: the disk is read-only`, details);
  }
  const hint = cause instanceof BunkerError && cause.hint !== undefined ? { hint: cause.hint } : {};
  return new StoreImageError(`Cannot ${what}`, { code: codes[0] ?? "STORE", cause, ...hint });
}
