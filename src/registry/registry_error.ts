/**
 * What can go wrong between bunker and a registry, as one class with a code a person or script can act on. Messages hold
 * no token, no credential and no query of a URL (signed URLs are credentials); foreign text is quoted and cut short.
 */
import { BunkerError, type ErrorDetails } from "../errors.ts";

/** Stable names that scripts may rely on. */
export type RegistryErrorCode =
  /** No such repository, tag or digest, or one that only members may see. */
  | "IMAGE_NOT_FOUND"
  /** The image exists, but not for the platform. */
  | "PLATFORM_NOT_FOUND"
  | "REGISTRY_UNAUTHORIZED"
  | "REGISTRY_DENIED"
  | "REGISTRY_RATE_LIMITED"
  /** Name resolution, connection or time-out. */
  | "REGISTRY_UNREACHABLE"
  | "REGISTRY_TLS"
  /** A reply that breaks the protocol or one of our rules. */
  | "REGISTRY_PROTOCOL"
  /** Any other status. */
  | "REGISTRY_FAILED"
  | "MANIFEST_INVALID"
  /** A valid manifest of something else: a chart, a signature. */
  | "NOT_AN_IMAGE"
  /** Bytes that are not what their digest or size says. */
  | "CONTENT_MISMATCH";

/** What a {@link RegistryError} carries besides its message. */
export interface RegistryErrorDetails extends ErrorDetails {
  readonly code: RegistryErrorCode;
  /** HTTP status of the reply. */
  readonly status?: number;
  /** The registry's own code, e.g. `MANIFEST_UNKNOWN` (distribution-spec, spec.md#error-codes). */
  readonly serverCode?: string;
  /** Whether the same request may succeed later. */
  readonly retryable?: boolean;
  /** Milliseconds that the registry asks to wait before. */
  readonly retryAfterMs?: number | undefined;
}

const QUOTED_LENGTH_MAX = 200;

/** A request to a registry that failed for good. */
export class RegistryError extends BunkerError {
  readonly code: RegistryErrorCode;
  readonly status: number | undefined;
  readonly serverCode: string | undefined;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, details: RegistryErrorDetails) {
    super(message, details);
    this.code = details.code;
    this.status = details.status;
    this.serverCode = details.serverCode;
    this.retryable = details.retryable ?? false;
    this.retryAfterMs = details.retryAfterMs;
  }
}

/**
 * The one error to report when several endpoints failed: the registry's own, which is last, or when that cannot be
 * reached, what the last mirror replied. The other becomes its cause where it has none.
 */
export function mostTelling(errors: readonly RegistryError[]): Error {
  const own = errors.at(-1);
  if (own === undefined) return new RangeError("Cannot ask a registry: there is no endpoint");
  const replied =
    own.status === undefined ? errors.findLast((error) => error.status !== undefined) : undefined;
  const told = replied ?? own;
  const other = told === own ? errors.at(-2) : own;
  if (other !== undefined) told.cause ??= other;
  return told;
}

/** Foreign text for a message: one line, quoted, cut short. */
export function quoteForeign(text: string): string {
  const cut = text.length > QUOTED_LENGTH_MAX ? `${text.slice(0, QUOTED_LENGTH_MAX)}…` : text;
  return JSON.stringify(cut);
}

/** A URL for a message: without user, query and fragment. */
export function urlForMessages(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}
