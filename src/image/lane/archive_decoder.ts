/** The second part of a layer's way: decompresses its blob, checks the diffID, and hands the archive to a sink. */
import { digestOfHex } from "../../oci/digest.ts";
import { type ExpectedLayer, layerMismatch } from "./blob_intake.ts";
import { type ByteSink, HashingWriter } from "./byte_sink.ts";
import { type Inflater, MAGIC_LENGTH, openInflater } from "./inflate.ts";

/** Decodes one layer; nothing of it may be used before {@link finish} has returned. */
export class ArchiveDecoder implements Disposable {
  readonly #out: HashingWriter;
  readonly #expected: ExpectedLayer;
  #inflater: Inflater | undefined;
  /** The first bytes, until there are enough to know the format. */
  #head: Uint8Array = new Uint8Array(0);

  constructor(sink: ByteSink, expected: ExpectedLayer) {
    this.#out = new HashingWriter(sink);
    this.#expected = expected;
  }

  /**
   * Takes the next bytes of the blob, which are not needed any more afterwards.
   * @throws {CompressionError} and whatever the sink throws
   */
  push(chunk: Uint8Array): void | Promise<void> {
    if (this.#inflater !== undefined) return this.#inflater.push(chunk);
    this.#head = Buffer.concat([this.#head, chunk]);
    if (this.#head.length < MAGIC_LENGTH) return undefined;
    return this.#begin();
  }

  /** @throws {CompressionError} when it is cut short, {LayerMismatch} when the archive has another digest */
  async finish(): Promise<void> {
    if (this.#inflater === undefined) await this.#begin();
    await this.#inflater?.finish();
    const found = digestOfHex(this.#out.finish());
    if (found === this.#expected.diffId) return;
    throw layerMismatch(
      this.#expected,
      `it unpacks to "${found}", the image's config says "${this.#expected.diffId}"`,
    );
  }

  [Symbol.dispose](): void {
    this.#inflater?.close();
  }

  #begin(): void | Promise<void> {
    this.#inflater = openInflater(this.#head, this.#out);
    return this.#inflater.push(this.#head);
  }
}
