/** The limit for the whole of what is read: who sends a byte now and then would be waited for for years. */
import { RegistryError } from "./registry_error.ts";

/** What is read, and how long it may take. */
export interface TimedReading {
  /** As messages name it. */
  readonly what: string;
  readonly limitMs: number;
}

/** Aborts a reading that has not come to its end in time; disposing of it ends the watch. */
export class TimeLimit implements Disposable {
  readonly #timer: NodeJS.Timeout;

  constructor(reading: AbortController, { what, limitMs }: TimedReading) {
    const error = new RegistryError(`Cannot read ${what}: it has not ended after ${limitMs / 1000} s`, {
      code: "REGISTRY_UNREACHABLE",
    });
    this.#timer = setTimeout(() => reading.abort(error), limitMs);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
