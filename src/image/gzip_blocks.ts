/**
 * Compresses a stream by several threads into one gzip member (RFC 1952): blocks are compressed side by side, each with
 * the end of the one before as its dictionary, flushed to a byte's boundary, and put one behind the other. Where the
 * blocks begin depends on nothing but the stream, so the same bytes come out on every machine.
 */
import { availableParallelism } from "node:os";
import { constants, crc32, deflateRaw } from "node:zlib";

const BLOCK_SIZE = 1 << 20;
/** As far as deflate looks back. */
const WINDOW_SIZE = 32 * 1024;
const LEVEL = 6;
/** More threads than this would hold more blocks in memory than they are worth. */
const THREADS_MAX = 8;

/** Magic, deflate, no flags, no time, no level, "unix". */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);

/** Takes bytes, gives compressed ones. */
export class GzipBlocks {
  readonly #write: (bytes: Uint8Array) => void;
  readonly #threads = Math.min(availableParallelism(), THREADS_MAX);
  /** Blocks that are being compressed, in their order. */
  readonly #pending: Promise<Uint8Array>[] = [];
  /** Memory of the blocks in turns: those that are being compressed, the one that is filled, and a dictionary. */
  readonly #blocks = Array.from({ length: this.#threads + 2 }, () => Buffer.allocUnsafe(BLOCK_SIZE));
  #block = this.#nextBlock();
  #filled = 0;
  #dictionary: Uint8Array | undefined;
  #crc = 0;
  #size = 0;

  /** @param write gets compressed bytes in order; what it throws reaches the caller of push() or end() */
  constructor(write: (bytes: Uint8Array) => void) {
    this.#write = write;
    write(HEADER);
  }

  /** Takes bytes, which are the caller's again afterwards. */
  async push(bytes: Uint8Array): Promise<void> {
    this.#crc = crc32(bytes, this.#crc);
    this.#size += bytes.length;
    for (let at = 0; at < bytes.length; ) {
      // A full block waits for what follows: the last one is ended in another way.
      if (this.#filled === BLOCK_SIZE) await this.#compress(constants.Z_SYNC_FLUSH);
      const part = bytes.subarray(at, at + BLOCK_SIZE - this.#filled);
      this.#block.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
    }
  }

  /** Writes what is left, and the trailer. */
  async end(): Promise<void> {
    await this.#compress(constants.Z_FINISH);
    while (this.#pending.length > 0) await this.#writeFirst();
    const trailer = Buffer.alloc(8);
    trailer.writeUInt32LE(this.#crc >>> 0, 0);
    trailer.writeUInt32LE(this.#size % 2 ** 32, 4);
    this.#write(trailer);
  }

  async #compress(finishFlush: number): Promise<void> {
    const block = this.#block.subarray(0, this.#filled);
    const dictionary = this.#dictionary === undefined ? {} : { dictionary: this.#dictionary };
    this.#pending.push(deflate(block, { level: LEVEL, finishFlush, ...dictionary }));
    this.#dictionary = block.subarray(-WINDOW_SIZE);
    if (this.#pending.length > this.#threads) await this.#writeFirst();
    // Another one is filled while this one is read by a thread.
    this.#block = this.#nextBlock();
    this.#filled = 0;
  }

  #nextBlock(): Buffer {
    const block = this.#blocks.shift() ?? Buffer.allocUnsafe(BLOCK_SIZE);
    this.#blocks.push(block);
    return block;
  }

  async #writeFirst(): Promise<void> {
    const first = this.#pending.shift();
    if (first !== undefined) this.#write(await first);
  }
}

interface DeflateOptions {
  readonly level: number;
  readonly finishFlush: number;
  readonly dictionary?: Uint8Array;
}

function deflate(block: Uint8Array, options: DeflateOptions): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  deflateRaw(block, options, (error, result) => (error === null ? resolve(result) : reject(error)));
  // Reported when its turn comes to be written.
  promise.catch(() => undefined);
  return promise;
}
