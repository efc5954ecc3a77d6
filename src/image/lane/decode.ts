/**
 * The first half of a lane: takes a layer's blob as it comes, checks size and digest, keeps the blob, decompresses it,
 * checks the diffID, and hands the archive to a sink. Nothing may be used before {@link decodeLayer} has returned.
 */
import { writeSync } from "node:fs";
import { BunkerError } from "../../errors.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { type Digest, digestOfHex } from "../../oci/digest.ts";
import { type ByteSink, HashingWriter } from "./byte_sink.ts";
import { CompressionError, type Inflater, MAGIC_LENGTH, openInflater } from "./inflate.ts";

/** A blob is not what the manifest says, or unpacks to something else than the config says. */
export class LayerMismatch extends BunkerError {
  readonly code = "CONTENT_MISMATCH";
}

/** What a layer must turn out to be. */
export interface ExpectedLayer {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
}

/** What {@link decodeLayer} checks against, and where the blob goes. */
export interface DecodeOptions {
  readonly expected: ExpectedLayer;
  /** Open file that the blob is written to; undefined when it is not kept. */
  readonly blobFd: number | undefined;
  /** Called with the bytes of each chunk, for progress. */
  readonly onBytes: (count: number) => void;
}

/**
 * Decodes a layer.
 * @throws {LayerMismatch} {CompressionError} and whatever `chunks` and `sink` throw
 */
export async function decodeLayer(
  chunks: AsyncIterable<Uint8Array>,
  sink: ByteSink,
  options: DecodeOptions,
): Promise<void> {
  const decoder = new LayerDecoder(sink, options);
  try {
    for await (const chunk of chunks) {
      const pending = decoder.push(chunk);
      if (pending !== undefined) await pending;
    }
    await decoder.finish();
  } finally {
    decoder.close();
  }
}

class LayerDecoder {
  readonly #out: HashingWriter;
  readonly #options: DecodeOptions;
  readonly #hasher = new Bun.CryptoHasher("sha256");
  #inflater: Inflater | undefined;
  #fault: CompressionError | undefined;
  /** The first bytes, until there are enough to know the format. */
  #head: Uint8Array = new Uint8Array(0);
  #size = 0;

  constructor(sink: ByteSink, options: DecodeOptions) {
    this.#out = new HashingWriter(sink);
    this.#options = options;
  }

  push(chunk: Uint8Array): void | Promise<void> {
    const { expected, blobFd, onBytes } = this.#options;
    this.#size += chunk.length;
    if (this.#size > expected.descriptor.size) {
      throw this.#mismatch(`it has more than ${expected.descriptor.size} bytes`);
    }
    this.#hasher.update(chunk);
    if (blobFd !== undefined) writeAll(blobFd, chunk);
    onBytes(chunk.length);
    if (this.#fault !== undefined) return undefined;
    const head = this.#inflater === undefined ? Buffer.concat([this.#head, chunk]) : undefined;
    if (head !== undefined && head.length < MAGIC_LENGTH) {
      this.#head = head;
      return undefined;
    }
    return this.#inflate(head ?? chunk);
  }

  async finish(): Promise<void> {
    const { descriptor, diffId } = this.#options.expected;
    if (this.#size !== descriptor.size)
      throw this.#mismatch(`it has ${this.#size} bytes, not ${descriptor.size}`);
    const digest = digestOfHex(this.#hasher.digest("hex"));
    if (digest !== descriptor.digest) throw this.#mismatch(`its content is "${digest}"`);
    if (this.#inflater === undefined) await this.#inflate(this.#head);
    if (this.#fault !== undefined) throw this.#fault;
    await this.#inflater?.finish();
    const found = digestOfHex(this.#out.finish());
    if (found !== diffId)
      throw this.#mismatch(`it unpacks to "${found}", the image's config says "${diffId}"`);
  }

  close(): void {
    this.#inflater?.close();
  }

  /** A fault is kept until the digest is known: what cannot be decompressed is most often damaged on the way. */
  #inflate(chunk: Uint8Array): void | Promise<void> {
    try {
      this.#inflater ??= openInflater(chunk, this.#out);
      return this.#inflater.push(chunk)?.catch((error: unknown) => this.#keepFault(error));
    } catch (error) {
      return this.#keepFault(error);
    }
  }

  #keepFault(error: unknown): void {
    if (!(error instanceof CompressionError)) throw error;
    this.#fault = error;
  }

  #mismatch(state: string): LayerMismatch {
    return new LayerMismatch(`Cannot use layer "${this.#options.expected.descriptor.digest}": ${state}`, {
      hint: "Try again; when it stays so, the registry or a proxy serves a damaged layer",
    });
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
}
