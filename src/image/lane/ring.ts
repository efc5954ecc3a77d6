/**
 * A ring of slots in shared memory between two threads: one writes, one reads, both wait when they must. Each side,
 * and the main thread, can abort it; then the other side throws instead of waiting for ever.
 *
 *   Int32 header: produced, consumed, state, signal to the reader, signal to the writer, length of each slot
 *   then the slots, each SLOT_SIZE bytes
 *
 * A waiter reads the signal, then looks whether there is something to do, then waits for the signal to change: what
 * happens between look and wait is not lost.
 */
import type { ByteSink } from "./byte_sink.ts";

const SLOT_COUNT = 8;
/** Larger slots were no faster (measured: 256 KiB, 1 MiB), smaller ones 5 % slower (64 KiB). */
const SLOT_SIZE = 128 * 1024;

const PRODUCED = 0;
const CONSUMED = 1;
const STATE = 2;
const READER_SIGNAL = 3;
const WRITER_SIGNAL = 4;
const LENGTHS = 5;
/** Bytes before the first slot: a page, so that slots are aligned. */
const HEADER_SIZE = 4096;

const RUNNING = 0;
const ENDED = 1;
const ABORTED = 2;
/** The reader has no use for the rest, but the writer shall go on: it is checking a digest. */
const UNREAD = 3;

/** The other side has given up; its own error says why. */
export class RingAborted extends Error {
  constructor() {
    super("Cannot go on: the other side of the ring has given up");
  }
}

/** The shared memory of a ring; reused for one layer after the other. */
export const createRing = (): SharedArrayBuffer =>
  new SharedArrayBuffer(HEADER_SIZE + SLOT_COUNT * SLOT_SIZE);

/** Makes a ring empty and running; both sides must be idle. */
export function resetRing(buffer: SharedArrayBuffer): void {
  new Int32Array(buffer, 0, LENGTHS + SLOT_COUNT).fill(0);
}

/** Makes both sides stop; harmless when they have. */
export function abortRing(buffer: SharedArrayBuffer): void {
  finish(new Int32Array(buffer), ABORTED);
}

/** Says, on the reader's side, that the rest will not be read: the writer no longer waits and is not stopped. */
export function leaveRing(buffer: SharedArrayBuffer): void {
  finish(new Int32Array(buffer), UNREAD);
}

function finish(header: Int32Array, state: number): void {
  // The first to finish decides.
  Atomics.compareExchange(header, STATE, RUNNING, state);
  signal(header, READER_SIGNAL);
  signal(header, WRITER_SIGNAL);
}

function signal(header: Int32Array, index: number): void {
  Atomics.add(header, index, 1);
  Atomics.notify(header, index);
}

function slotsOf(buffer: SharedArrayBuffer): Uint8Array[] {
  return Array.from(
    { length: SLOT_COUNT },
    (_, index) => new Uint8Array(buffer, HEADER_SIZE + index * SLOT_SIZE, SLOT_SIZE),
  );
}

/** The writing side. */
export class RingWriter implements ByteSink {
  readonly #header: Int32Array;
  readonly #slots: readonly Uint8Array[];

  constructor(buffer: SharedArrayBuffer) {
    this.#header = new Int32Array(buffer, 0, HEADER_SIZE / 4);
    this.#slots = slotsOf(buffer);
  }

  /** Waits for a free slot. @throws {RingAborted} */
  acquire(): Uint8Array {
    for (;;) {
      const seen = Atomics.load(this.#header, WRITER_SIGNAL);
      const slot = this.#freeSlot();
      if (slot !== undefined) return slot;
      Atomics.wait(this.#header, WRITER_SIGNAL, seen);
    }
  }

  /** The same for a thread that has other things to do meanwhile. @throws {RingAborted} */
  async acquireLater(): Promise<Uint8Array> {
    for (;;) {
      const seen = Atomics.load(this.#header, WRITER_SIGNAL);
      const slot = this.#freeSlot();
      if (slot !== undefined) return slot;
      const waiting = Atomics.waitAsync(this.#header, WRITER_SIGNAL, seen);
      if (waiting.async) await waiting.value;
    }
  }

  commit(length: number): void {
    const produced = Atomics.load(this.#header, PRODUCED);
    Atomics.store(this.#header, LENGTHS + (produced % SLOT_COUNT), length);
    Atomics.add(this.#header, PRODUCED, 1);
    signal(this.#header, READER_SIGNAL);
  }

  /** Says that nothing more comes. */
  end(): void {
    finish(this.#header, ENDED);
  }

  #freeSlot(): Uint8Array | undefined {
    const state = Atomics.load(this.#header, STATE);
    const produced = Atomics.load(this.#header, PRODUCED);
    if (state === UNREAD) return this.#slot(produced);
    if (state !== RUNNING) throw new RingAborted();
    return produced - Atomics.load(this.#header, CONSUMED) < SLOT_COUNT ? this.#slot(produced) : undefined;
  }

  #slot(produced: number): Uint8Array {
    const slot = this.#slots[produced % SLOT_COUNT];
    if (slot === undefined) throw new RangeError("Cannot use ring: a slot is missing");
    return slot;
  }
}

/** The reading side. */
export class RingReader {
  readonly #header: Int32Array;
  readonly #slots: readonly Uint8Array[];

  constructor(buffer: SharedArrayBuffer) {
    this.#header = new Int32Array(buffer, 0, HEADER_SIZE / 4);
    this.#slots = slotsOf(buffer);
  }

  /**
   * Waits for the next bytes; they are valid until {@link release}.
   * @returns undefined at the end
   * @throws {RingAborted}
   */
  next(): Uint8Array | undefined {
    for (;;) {
      const seen = Atomics.load(this.#header, READER_SIGNAL);
      const state = Atomics.load(this.#header, STATE);
      if (state === ABORTED) throw new RingAborted();
      const consumed = Atomics.load(this.#header, CONSUMED);
      if (Atomics.load(this.#header, PRODUCED) !== consumed) return this.#filled(consumed);
      if (state === ENDED) return undefined;
      Atomics.wait(this.#header, READER_SIGNAL, seen);
    }
  }

  /** Gives the slot of {@link next} back. */
  release(): void {
    Atomics.add(this.#header, CONSUMED, 1);
    signal(this.#header, WRITER_SIGNAL);
  }

  #filled(consumed: number): Uint8Array | undefined {
    const index = consumed % SLOT_COUNT;
    return this.#slots[index]?.subarray(0, Atomics.load(this.#header, LENGTHS + index));
  }
}
