/**
 * Ctrl-C in a pull: the pull is told, cleans up behind itself, and the program leaves with 128 + the signal's number.
 * A second signal ends it at once; what that leaves, the next pull removes.
 */
import { BunkerError } from "../errors.ts";

const signals = [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const;

/** The user does not want it any more: nothing to be said, but an exit code. */
export class InterruptedError extends BunkerError {
  readonly code = "INTERRUPTED";
  readonly exitCode: number;

  constructor(signal: string, exitCode: number) {
    super(`Cannot go on: ${signal} was sent`);
    this.exitCode = exitCode;
  }
}

/** Does `work`, whose signal is aborted with an {@link InterruptedError} when the program is told to end. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const handlers = signals.map(([name, exitCode]) => {
    const handler = (): void => controller.abort(new InterruptedError(name, exitCode));
    process.once(name, handler);
    return () => process.off(name, handler);
  });
  try {
    return await work(controller.signal);
  } finally {
    // The container's own forwarding of signals comes next.
    for (const remove of handlers) remove();
  }
}
