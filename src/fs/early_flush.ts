/**
 * Has the kernel begin to write a file to the disk while it still grows: the flush at the end of a pull then waits for little.
 * What goes wrong with it is reported by that flush (syncfs(2), Linux 5.8).
 */
import { startWriting } from "../linux/file.ts";

/** Bytes that are written at a time: enough for the disk to be efficient, little to wait for at the end. */
const STEP = 4 << 20;

/** Follows one file that is written front to back. */
export class EarlyFlush {
  readonly #fd: number;
  #begun = 0;

  /** @param fd stays the caller's */
  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Says how far the file is written. */
  reach(end: number): void {
    if (end - this.#begun < STEP) return;
    startWriting(this.#fd, this.#begun, end - this.#begun);
    this.#begun = end;
  }
}
