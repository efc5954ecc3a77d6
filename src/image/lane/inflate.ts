/**
 * Decompresses a layer, by its first bytes: gzip with any number of members, zstd with any number of frames, or none.
 * It uses the synchronous handle below the streams of node:zlib, which writes straight into the receiver's memory and
 * blocks when that is full; the streams cost twice the time. That handle is an internal of the runtime: where it is
 * not what is expected, the public streams do the same, slower.
 */
import { constants, createGunzip, createZstdDecompress, type Gunzip, type ZstdDecompress } from "node:zlib";
import { BunkerError } from "../../errors.ts";

/** A layer cannot be decompressed. */
export class CompressionError extends BunkerError {
  readonly code = "LAYER_COMPRESSION";
}

/** Where decompressed bytes go: straight into its memory, or as a copy. */
export interface Output {
  /** The memory to write to next, and how far it is filled. */
  room(): { readonly slot: Uint8Array; readonly filled: number };
  /** Says that so many bytes more were written to {@link room}. */
  advance(length: number): void;
  write(bytes: Uint8Array): void;
}

/** Takes compressed bytes, in any portions. */
export interface Inflater {
  /** @throws {CompressionError} */
  push(chunk: Uint8Array): void | Promise<void>;
  /** @throws {CompressionError} when the data is cut short */
  finish(): void | Promise<void>;
  close(): void;
}

/** Bytes that tell the format. */
export const MAGIC_LENGTH = 6;

type Stream = Gunzip | ZstdDecompress;

/** The internal handle, as far as it is used; the same shape as Node's. */
interface Handle {
  onerror: (message: string, errno: number, code: string) => void;
  writeSync(
    flush: number,
    input: Uint8Array,
    inOffset: number,
    inLength: number,
    ...out: [Uint8Array, number, number]
  ): void;
}

/**
 * Chooses by the first bytes of a layer.
 * @param head at least {@link MAGIC_LENGTH} bytes, or the whole layer when it is shorter
 * @throws {CompressionError} for formats that images do not use
 */
export function openInflater(head: Uint8Array, out: Output): Inflater {
  const [a, b, c, d] = head;
  if (a === 0x1f && b === 0x8b) return inflaterOf(createGunzip(), constants.Z_FINISH, out);
  const isZstd = a === 0x28 && b === 0xb5 && c === 0x2f && d === 0xfd;
  // A skippable frame (RFC 8878, 3.1.2) may come first: stargz-like tools put their index there.
  const isSkippable = a !== undefined && a >> 4 === 5 && b === 0x2a && c === 0x4d && d === 0x18;
  if (isZstd || isSkippable) return inflaterOf(createZstdDecompress(), constants.ZSTD_e_end, out);
  const name = unsupportedName(head);
  if (name !== undefined) throw new CompressionError(`Cannot decompress layer: ${name} is not supported`);
  return { push: (chunk) => out.write(chunk), finish: () => undefined, close: () => undefined };
}

function unsupportedName(head: Uint8Array): string | undefined {
  const text = Buffer.from(head).toString("latin1");
  if (text.startsWith("\xfd7zXZ")) return "xz";
  return text.startsWith("BZh") ? "bzip2" : undefined;
}

function inflaterOf(stream: Stream, lastFlush: number, out: Output): Inflater {
  const { _handle: handle, _writeState: state } = stream as unknown as {
    _handle?: Handle;
    _writeState?: unknown;
  };
  if (typeof handle?.writeSync === "function" && state instanceof Uint32Array && state.length >= 2) {
    return new HandleInflater({ stream, handle, state, lastFlush }, out);
  }
  return new StreamInflater(stream, out);
}

interface HandleParts {
  readonly stream: Stream;
  readonly handle: Handle;
  /** Written by each call: bytes of output left free, bytes of input left over. */
  readonly state: Uint32Array;
  readonly lastFlush: number;
}

class HandleInflater implements Inflater {
  readonly #parts: HandleParts;
  readonly #out: Output;
  #error: CompressionError | undefined;
  /** True once the data has ended; only zeros may follow (tape padding). */
  #ended = false;

  constructor(parts: HandleParts, out: Output) {
    this.#parts = parts;
    this.#out = out;
    parts.handle.onerror = (message, _errno, code) => {
      this.#error = new CompressionError(`Cannot decompress layer: ${message} (${code})`);
    };
  }

  push(chunk: Uint8Array): void {
    let at = this.#ended ? 0 : this.#inflate(0, chunk);
    for (; at < chunk.length; at += 1) {
      if (chunk[at] !== 0) throw new CompressionError("Cannot decompress layer: something follows its end");
      this.#ended = true;
    }
  }

  finish(): void {
    if (!this.#ended) this.#inflate(this.#parts.lastFlush, new Uint8Array(0));
  }

  close(): void {
    this.#parts.stream.close();
  }

  /** @returns bytes of `chunk` that were used: all, unless the data ended before */
  #inflate(flush: number, chunk: Uint8Array): number {
    const { handle, state } = this.#parts;
    let used = 0;
    for (;;) {
      const { slot, filled } = this.#out.room();
      const room = slot.length - filled;
      handle.writeSync(flush, chunk, used, chunk.length - used, slot, filled, room);
      if (this.#error !== undefined) throw this.#error;
      const [roomLeft = 0, inputLeft = 0] = state;
      const progressed = roomLeft !== room || inputLeft !== chunk.length - used;
      used = chunk.length - inputLeft;
      this.#out.advance(room - roomLeft);
      if (roomLeft > 0 && (inputLeft === 0 || !progressed)) return used;
    }
  }
}

/** Decompresses by the public streams. */
export class StreamInflater implements Inflater {
  readonly #stream: Stream;
  readonly #ended: Promise<void>;

  constructor(stream: Stream, out: Output) {
    this.#stream = stream;
    stream.on("data", (bytes: Buffer) => out.write(bytes));
    this.#ended = new Promise((resolve, reject) => {
      stream.on("end", resolve);
      stream.on("error", (cause) => reject(new CompressionError("Cannot decompress layer", { cause })));
    });
    // Reported by push() or finish(), whichever comes first.
    this.#ended.catch(() => undefined);
  }

  async push(chunk: Uint8Array): Promise<void> {
    const written = new Promise<void>((resolve) => {
      this.#stream.write(chunk, () => resolve());
    });
    await Promise.race([written, this.#ended]);
  }

  async finish(): Promise<void> {
    this.#stream.end();
    await this.#ended;
  }

  close(): void {
    this.#stream.destroy();
  }
}
