/**
 * Carries one blob from where it is to where it is wanted, without keeping it. Whoever writes may ask for the bytes in
 * pieces, or for some of them again after a break: the reading goes on where it stands, or begins anew at that byte. Each
 * byte is hashed when it passes for the first time, and the last ones are handed on only if size and digest are right.
 */
import type { Descriptor } from "../../oci/descriptor.ts";
import { digestOfBytes, digestOfHex } from "../../oci/digest.ts";
import { RegistryError } from "../../registry/registry_error.ts";

/** Opens the bytes of the blob from `start` on. */
export type OpenFrom = (start: number, signal: AbortSignal) => Promise<ReadableStream<Uint8Array>>;

/** What is used of a stream's reader. */
interface Reader {
  /** Without a value at the end. */
  read(): Promise<{ readonly value?: Uint8Array | undefined }>;
  cancel(): Promise<void>;
}

interface Reading {
  readonly reader: Reader;
  readonly stop: AbortController;
}

/** The bytes of one blob, for one writer. */
export class BlobFeed implements AsyncDisposable {
  readonly descriptor: Descriptor;
  readonly #openFrom: OpenFrom;
  readonly #hasher = new Bun.CryptoHasher("sha256");
  readonly #failed = new AbortController();
  /** Bytes that have passed for the first time. */
  #hashed = 0;
  /** Counts what was opened: what belongs to an earlier stream comes too late. */
  #generation = 0;
  #reading: Reading | undefined;
  #opening: AbortController | undefined;
  /** Where the reading stands. */
  #at = 0;
  /** Bytes that were read and not asked for yet. */
  #rest: Uint8Array | undefined;

  constructor(descriptor: Descriptor, openFrom: OpenFrom) {
    this.descriptor = descriptor;
    this.#openFrom = openFrom;
  }

  /** Aborted with the error when the source fails for good: to try again is of no use. */
  get failed(): AbortSignal {
    return this.#failed.signal;
  }

  /** The bytes from `start` up to `end`; a stream that was opened before gives no more. */
  open(start: number, end: number): ReadableStream<Uint8Array> {
    this.#generation += 1;
    const generation = this.#generation;
    let at = start;
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          if (this.descriptor.size === 0) this.#checkEmpty();
          const chunk = at < end ? await this.#next({ generation, start: at, end }) : undefined;
          at += chunk?.length ?? 0;
          if (chunk !== undefined) controller.enqueue(chunk);
          if (at >= end) controller.close();
        },
        cancel: () => (generation === this.#generation ? this.#stop() : undefined),
      },
      { highWaterMark: 0 },
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stop();
  }

  async #next({ generation, start, end }: Wanted): Promise<Uint8Array> {
    try {
      if (this.#reading === undefined || this.#at !== start) await this.#seek(generation, start);
      const read = this.#rest ?? (await this.#read());
      if (generation !== this.#generation) throw new Error("Cannot go on: another stream was opened");
      const chunk = read.subarray(0, end - start);
      this.#rest = chunk.length < read.length ? read.subarray(chunk.length) : undefined;
      this.#at += chunk.length;
      this.#check(start, chunk);
      return chunk;
    } catch (error) {
      if (generation === this.#generation) this.#failed.abort(error);
      throw error;
    }
  }

  async #seek(generation: number, start: number): Promise<void> {
    await this.#letGo();
    const stop = new AbortController();
    this.#opening = stop;
    const stream = await this.#openFrom(start, stop.signal);
    if (generation !== this.#generation) {
      await Promise.allSettled([stream.cancel()]);
      return;
    }
    this.#opening = undefined;
    this.#reading = { reader: stream.getReader(), stop };
    this.#at = start;
  }

  async #read(): Promise<Uint8Array> {
    for (;;) {
      const value = (await this.#reading?.reader.read())?.value;
      if (value === undefined)
        throw this.#mismatch(`it ends after ${this.#at} of ${this.descriptor.size} bytes`);
      if (value.length > 0) return value;
    }
  }

  #check(start: number, chunk: Uint8Array): void {
    const { digest, size } = this.descriptor;
    const end = start + chunk.length;
    if (end <= this.#hashed) return;
    this.#hasher.update(chunk.subarray(this.#hashed - start));
    this.#hashed = end;
    if (end < size) return;
    if (this.#rest !== undefined) throw this.#mismatch(`it has more than ${size} bytes`);
    const found = digestOfHex(this.#hasher.digest("hex"));
    if (found !== digest) throw this.#mismatch(`its content is "${found}"`);
  }

  /** No byte of an empty blob ever comes, and it has a digest all the same. */
  #checkEmpty(): void {
    const found = digestOfBytes(new Uint8Array());
    if (found === this.descriptor.digest) return;
    const error = this.#mismatch(`its content is "${found}"`);
    this.#failed.abort(error);
    throw error;
  }

  /** Whatever is on its way comes too late then. */
  async #stop(): Promise<void> {
    this.#generation += 1;
    await this.#letGo();
  }

  async #letGo(): Promise<void> {
    const reading = this.#reading;
    this.#reading = undefined;
    this.#rest = undefined;
    this.#opening?.abort();
    reading?.stop.abort();
    // How a reading that nobody wants any more ends is no matter.
    await Promise.allSettled([reading?.reader.cancel()]);
  }

  #mismatch(state: string): RegistryError {
    return new RegistryError(`Cannot copy blob "${this.descriptor.digest}": ${state}`, {
      code: "CONTENT_MISMATCH",
      hint: "Try again; when it stays so, the source is damaged",
    });
  }
}

/** What one stream waits for. */
interface Wanted {
  readonly generation: number;
  readonly start: number;
  readonly end: number;
}
