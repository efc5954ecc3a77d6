/**
 * The base class of everything that bunker reports to a person. A subclass exists for each thing that a caller
 * may want to catch; for wrong arguments the fitting built-in class (TypeError, RangeError, SyntaxError) is used.
 */

/** What every {@link BunkerError} may carry besides its message. */
export interface ErrorDetails {
  /** The error that this one explains; kept, and printed as "because: …". */
  readonly cause?: unknown;
  /** One imperative sentence that says what to do about it, printed as "hint: …". */
  readonly hint?: string;
}

/** An error with a stable `code`, a cause and a way out. */
export abstract class BunkerError extends Error {
  /** Upper-case name that scripts may rely on, e.g. `"IMAGE_NOT_FOUND"`. */
  abstract readonly code: string;
  readonly hint: string | undefined;

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.hint = details.hint;
  }
}

/** An option, argument or configuration value that cannot be honoured. */
export class UsageError extends BunkerError {
  readonly code = "USAGE";
}
