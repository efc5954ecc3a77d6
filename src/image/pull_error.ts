/** An image could not be pulled, for a reason that lies in its layers or in this machine. */
import { BunkerError } from "../errors.ts";
import { formatPlatform, type Platform } from "../oci/platform.ts";
import { formatReference, type Reference } from "../oci/reference.ts";
import type { ResolvedImage } from "../registry/client.ts";
import { RegistryError } from "../registry/registry_error.ts";
import { codesOf, DiskFullError, READ_ONLY_HINT } from "./disk_full.ts";

/** A pull failed after the registry had answered; the cause says at which layer or entry. */
export class PullError extends BunkerError {
  /** The code of the cause where it has one, e.g. `"LAYER_INVALID"`; `"DISK_FULL"`, `"PLATFORM_NOT_FOUND"`. */
  readonly code: string;

  constructor(
    message: string,
    details: { readonly code: string; readonly cause?: unknown; readonly hint?: string },
  ) {
    super(message, details);
    this.code = details.code;
  }
}

/** Explains what a pull met; errors that already name the image, and cancellation, are passed through. */
export function pullError(reference: Reference, cause: unknown, signal: AbortSignal): unknown {
  if (signal.aborted || !(cause instanceof Error)) return cause;
  if (cause instanceof RegistryError || cause instanceof PullError) return cause;
  const name = `image "${formatReference(reference)}"`;
  if (cause instanceof DiskFullError) {
    const { code, state, hint = "" } = cause;
    return new PullError(`Cannot pull ${name}: ${state}`, { code, cause: cause.cause, hint });
  }
  if (codesOf(cause).includes("EROFS"))
    return new PullError(`Cannot pull ${name}: the disk is read-only`, {
      code: "READ_ONLY",
      cause,
      hint: READ_ONLY_HINT,
    });
  const hint = cause instanceof BunkerError && cause.hint !== undefined ? { hint: cause.hint } : {};
  return new PullError(`Cannot pull ${name}`, { code: codesOf(cause)[0] ?? "PULL_FAILED", cause, ...hint });
}

/** An image without an index says in its configuration alone what it is for; the words are those for an index. */
export function otherPlatformError({ reference, config }: ResolvedImage, wanted: Platform): PullError {
  const [name, platform] = [formatReference(reference), formatPlatform(config.platform)];
  return new PullError(
    `Cannot pull image "${name}": it is not for ${formatPlatform(wanted)}, but for ${platform}`,
    {
      code: "PLATFORM_NOT_FOUND",
      hint: `Ask for it with --platform ${platform}`,
    },
  );
}
