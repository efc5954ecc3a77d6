/**
 * What a suite writes to its stderr, shown while it runs and kept: a suite that hangs leaves no report, and only there is
 * written how far it came. A file, since tests hand their stderr on, and not everything can open a socket of Bun's.
 */
import { closeSync, openSync, readFileSync, readSync } from "node:fs";

const LOOK_MS = 100;
const CHUNK_BYTES = 64 * 1024;

/** The file, and what copies it. */
export class FollowedLog {
  readonly #path: string;
  /** For the process that writes. */
  readonly fd: number;
  readonly #reader: number;
  readonly #timer: NodeJS.Timeout;
  readonly #show: (text: Uint8Array) => void;
  readonly #now: () => number;
  #grownAt: number;

  /**
   * @param show is given all that is written, in pieces
   * @param now a clock in milliseconds
   */
  constructor(path: string, show: (text: Uint8Array) => void, now = (): number => performance.now()) {
    this.#path = path;
    this.#show = show;
    this.#now = now;
    this.#grownAt = now();
    this.fd = openSync(path, "a");
    this.#reader = openSync(path, "r");
    this.#timer = setInterval(() => this.#copy(), LOOK_MS);
  }

  /** Milliseconds since something was written, or since the start. */
  get silentMs(): number {
    return this.#now() - this.#grownAt;
  }

  #copy(): void {
    for (;;) {
      const chunk = new Uint8Array(CHUNK_BYTES);
      const length = readSync(this.#reader, chunk);
      if (length === 0) return;
      this.#grownAt = this.#now();
      this.#show(chunk.subarray(0, length));
    }
  }

  /** Shows the rest. @returns everything */
  end(): string {
    clearInterval(this.#timer);
    this.#copy();
    for (const fd of [this.fd, this.#reader]) closeSync(fd);
    return readFileSync(this.#path, "utf8");
  }
}

/** The test that `bun test` had ended last when it wrote this, with its file; the one after it is where it hangs. */
export function findLastTest(output: string): string | undefined {
  const lines = output.split("\n");
  const file = lines.findLast((line) => /^\S+\.test\.ts:$/.test(line));
  if (file === undefined) return undefined;
  const test = lines
    .slice(lines.lastIndexOf(file))
    .findLast((line) => /^\((?:pass|fail|skip|todo)\) /.test(line));
  return `${file} ${test?.replace(/^\(\w+\) | \[[\d.]+m?s\]$/g, "") ?? "its start"}`;
}
