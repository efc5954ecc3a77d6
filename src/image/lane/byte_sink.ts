/** Where decoded bytes go: into memory that the receiver lends, so that nothing is copied on the way. */
export interface ByteSink {
  /** Memory to write to, of any length above 0; valid until it is committed. May block the thread. */
  acquire(): Uint8Array;
  /** Hands over the first `length` bytes of what was acquired. */
  commit(length: number): void;
}

/** Fills a sink's memory, piece by piece. */
export class SlotWriter {
  readonly #sink: ByteSink;
  #slot: Uint8Array | undefined;
  #filled = 0;

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  /** The memory to write to next, and how far it is filled. */
  room(): { readonly slot: Uint8Array; readonly filled: number } {
    if (this.#slot === undefined) {
      this.#slot = this.#sink.acquire();
      this.#filled = 0;
    }
    return { slot: this.#slot, filled: this.#filled };
  }

  /** Says that so many bytes more were written to {@link room}. */
  advance(length: number): void {
    this.#filled += length;
    if (this.#filled === this.#slot?.length) this.#commit();
  }

  /** Copies bytes. */
  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const { slot, filled } = this.room();
      const length = Math.min(slot.length - filled, bytes.length - at);
      slot.set(bytes.subarray(at, at + length), filled);
      this.advance(length);
      at += length;
    }
  }

  /** Hands over what is left. */
  finish(): void {
    if (this.#filled > 0) this.#commit();
  }

  #commit(): void {
    if (this.#slot === undefined) return;
    this.#sink.commit(this.#filled);
    this.#slot = undefined;
    this.#filled = 0;
  }
}
