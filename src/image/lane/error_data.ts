/** Errors on their way between threads: a class does not survive postMessage(), its facts do. */
import { BunkerError } from "../../errors.ts";

/** An error as plain data. */
export interface ErrorData {
  readonly name: string;
  readonly message: string;
  readonly code: string | undefined;
  readonly hint: string | undefined;
  readonly cause: ErrorData | undefined;
}

/** Causes kept of one error: more would be a cycle. */
const DEPTH_MAX = 8;

/** Takes the facts of an error, causes included, as far as they can be posted. */
export function toErrorData(error: unknown, depth = 0): ErrorData {
  if (!(error instanceof Error)) {
    return { name: "Error", message: String(error), code: undefined, hint: undefined, cause: undefined };
  }
  const { code } = error as { code?: unknown };
  return {
    name: error.name,
    message: error.message,
    code: typeof code === "string" ? code : undefined,
    hint: error instanceof BunkerError ? error.hint : undefined,
    cause: error.cause === undefined || depth === DEPTH_MAX ? undefined : toErrorData(error.cause, depth + 1),
  };
}

/** An error that happened in another thread: its name, code, hint and causes are what they were there. */
export class RelayedError extends BunkerError {
  readonly code: string;

  constructor(data: ErrorData) {
    const cause = data.cause === undefined ? {} : { cause: new RelayedError(data.cause) };
    super(data.message, { ...cause, ...(data.hint === undefined ? {} : { hint: data.hint }) });
    this.name = data.name;
    this.code = data.code ?? "INTERNAL";
  }
}
