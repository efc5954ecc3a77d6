/** A file that is open for reading; holes are not read, but known to be zeros. */
import { ENXIO } from "../../linux/abi/errno.ts";
import { call, callRaw } from "../../linux/call.ts";
import { Fd, type Stat } from "../../linux/file.ts";
import type { FileContent } from "./layer_files.ts";

/** lseek(2): the next byte, from an offset on, that is in no hole. */
const SEEK_DATA = 3;
/** Bytes of one of statx(2)'s blocks. */
const BLOCK_SIZE = 512;

/** A file that may have holes, and may change while it is read. */
export class OpenFile extends Fd implements FileContent {
  readonly holeBytes: number;
  readonly #size: number;
  /** A hole: everything from the one up to the other. */
  #hole = { start: 0, end: 0 };

  /** @param number a descriptor, owned from then on */
  constructor(number: number, { size, blocks }: Pick<Stat, "size" | "blocks">) {
    super(number);
    this.#size = size;
    this.holeBytes = Math.max(0, size - blocks * BLOCK_SIZE);
  }

  read(buffer: Uint8Array, position: number): number {
    const end = Math.min(position + buffer.length, this.#size);
    if (this.holeBytes >= buffer.length && end > position && this.#nextData(position) >= end) {
      buffer.fill(0, 0, end - position);
      return end - position;
    }
    let done = 0;
    while (done < buffer.length) {
      const rest = done === 0 ? buffer : buffer.subarray(done);
      const count = call("pread64", this.number, rest, rest.length, position + done);
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  #nextData(position: number): number {
    if (position < this.#hole.start || position >= this.#hole.end) {
      const found = callRaw("lseek", this.number, position, SEEK_DATA);
      // ENXIO: only a hole is left, or the file is shorter than it was. Any other error shows when it is read.
      const end = found === -ENXIO ? this.#size : Math.max(found, position);
      this.#hole = { start: position, end };
    }
    return this.#hole.end;
  }
}
