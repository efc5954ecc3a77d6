/** The second part of a layer's way: decompresses its blob, and hands the archive to a sink. */
import { type ByteSink, SlotWriter } from "./byte_sink.ts";
import { type Inflater, MAGIC_LENGTH, openInflater } from "./inflate.ts";

/** Decodes one layer; nothing of it may be used before {@link finish} has returned. */
export class ArchiveDecoder implements Disposable {
  readonly #out: SlotWriter;
  #inflater: Inflater | undefined;
  /** The first bytes, until there are enough to know the format. */
  #head: Uint8Array = new Uint8Array(0);

  constructor(sink: ByteSink) {
    this.#out = new SlotWriter(sink);
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

  /** @throws {CompressionError} when it is cut short, and whatever the sink throws */
  async finish(): Promise<void> {
    if (this.#inflater === undefined) await this.#begin();
    await this.#inflater?.finish();
    this.#out.finish();
  }

  [Symbol.dispose](): void {
    this.#inflater?.close();
  }

  #begin(): void | Promise<void> {
    this.#inflater = openInflater(this.#head, this.#out);
    return this.#inflater.push(this.#head);
  }
}
