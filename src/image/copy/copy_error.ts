/** An image could not be copied, for a reason that lies in the image, in the place it comes from or goes to, or in this machine. */
import { BunkerError } from "../../errors.ts";

/** The error of a copy; registries have their own. */
export class CopyError extends BunkerError {
  /** `"COPY_FAILED"`, `"DISK_FULL"`. */
  readonly code: string;

  constructor(
    message: string,
    details: { readonly code?: "DISK_FULL"; readonly cause?: unknown; readonly hint?: string } = {},
  ) {
    super(message, details);
    this.code = details.code ?? "COPY_FAILED";
  }
}

const DISK_FULL: readonly unknown[] = ["ENOSPC", "EDQUOT"];

/** Explains what a copy met; errors that explain themselves, and cancellation, are passed through. */
export function copyError(
  { source, target }: { readonly source: string; readonly target: string },
  cause: unknown,
  signal: AbortSignal,
): unknown {
  const { code } = cause instanceof Error ? (cause as { code?: unknown }) : {};
  const isOfKernel = typeof code === "string" && /^E[A-Z0-9]+$/.test(code);
  if (signal.aborted || !isOfKernel) return cause;
  const what = `image "${source}" to "${target}"`;
  if (!DISK_FULL.includes(code)) return new CopyError(`Cannot copy ${what}`, { cause });
  const hint = "Free some space; what has been copied so far is used again";
  return new CopyError(`Cannot copy ${what}: the disk is full`, { code: "DISK_FULL", cause, hint });
}
