/** An image could not be pulled, for a reason that lies in its layers or in this machine. */
import { BunkerError } from "../errors.ts";
import { formatPlatform, type Platform } from "../oci/platform.ts";
import { formatReference, type Reference } from "../oci/reference.ts";
import type { ResolvedImage } from "../registry/client.ts";
import { RegistryError } from "../registry/registry_error.ts";

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

/** The kernel has no room left. */
export const DISK_FULL: readonly string[] = ["ENOSPC", "EDQUOT"];

/** Explains what a pull met; errors that already name the image, and cancellation, are passed through. */
export function pullError(reference: Reference, cause: unknown, signal: AbortSignal): unknown {
  if (signal.aborted || !(cause instanceof Error)) return cause;
  if (cause instanceof RegistryError || cause instanceof PullError) return cause;
  const name = `image "${formatReference(reference)}"`;
  const codes = codesOf(cause);
  if (codes.some((code) => DISK_FULL.includes(code))) {
    const hint = "Free some space, or move the data to another disk with --root";
    return new PullError(`Cannot pull ${name}: the disk is full`, { code: "DISK_FULL", cause, hint });
  }
  const hint = cause instanceof BunkerError && cause.hint !== undefined ? { hint: cause.hint } : {};
  return new PullError(`Cannot pull ${name}`, { code: codes[0] ?? "PULL_FAILED", cause, ...hint });
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

/** Codes of an error and of its causes, as far as they have one. */
export function codesOf(error: Error): string[] {
  const codes: string[] = [];
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const { code } = at as { code?: unknown };
    if (typeof code === "string") codes.push(code);
  }
  return codes;
}
