/**
 * The file of an image while it grows: data is appended in whole blocks, inodes are packed into blocks of their own in
 * between. Everything passes a buffer, so that a layer of small files is written in few calls; what is large enough goes
 * past it. Memory does not depend on the layer's size.
 *
 *     ┌────────────┬──────┬───────────────┬──────┬──────────
 *     │ file data  │ open │ file data     │ open │ file data …      ← position
 *     └────────────┴──────┴───────────────┴──────┴──────────
 *                    a block of inodes that is not full yet has its place already, and is put there when it is
 */
import { EarlyFlush } from "../../fs/early_flush.ts";
import { EFBIG } from "../../linux/abi/errno.ts";
import { SyscallError } from "../../linux/call.ts";
import { ftruncate, pwriteAll } from "../../linux/file.ts";
import { alignUp, BLOCK_SIZE, BLOCKS_MAX, SLOT_SIZE } from "./format.ts";

const BUFFER_SIZE = 256 * 1024;
/** From this size on a copy into the buffer costs more than a call. */
const DIRECT_SIZE = 32 * 1024;
/** Blocks of inodes that are filled side by side: with one, a quarter of its room is lost to files that do not fit. */
const OPEN_BLOCKS = 4;

/** Room for an inode and what lies behind it, filled with zeros. */
export interface Slot {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  /** In `bytes`. */
  readonly offset: number;
  readonly nid: number;
}

interface OpenBlock {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  at: number;
  used: number;
}

/** Writes one image front to back. */
export class ImageOutput {
  readonly #fd: number;
  readonly #early: EarlyFlush;
  readonly #buffer = new Uint8Array(new ArrayBuffer(BUFFER_SIZE));
  #base: number;
  #used = 0;
  #open: OpenBlock[] = [];
  /** Blocks that were put to their places: new ones would wait for the collector, outside of its heap. */
  readonly #free: OpenBlock[] = [];
  #hash: bigint;

  /**
   * @param fd stays the caller's
   * @param position where writing begins, a multiple of the block size
   * @param hash of what is there already
   */
  constructor(fd: number, position: number, hash = 0n) {
    this.#fd = fd;
    this.#early = new EarlyFlush(fd);
    this.#base = position;
    this.#hash = hash;
  }

  /** Offset of the next byte. */
  get position(): number {
    return this.#base + this.#used;
  }

  /** Tells images of different content apart: a hash of all inodes. */
  get hash(): bigint {
    return this.#hash;
  }

  /** Room for `size` bytes, at most a block, inside one block. Between files only. */
  place(size: number): Slot {
    let best: OpenBlock | undefined;
    for (const block of this.#open) {
      if (BLOCK_SIZE - block.used >= size && (best === undefined || block.used > best.used)) best = block;
    }
    const block = best ?? this.#openBlock();
    const offset = block.used;
    block.used = alignUp(offset + size, SLOT_SIZE);
    return { bytes: block.bytes, words: block.words, offset, nid: (block.at + offset) / SLOT_SIZE };
  }

  append(bytes: Uint8Array): void {
    if (bytes.length >= DIRECT_SIZE || bytes.length > BUFFER_SIZE - this.#used) this.#flush();
    if (bytes.length < DIRECT_SIZE) {
      this.#buffer.set(bytes, this.#used);
      this.#used += bytes.length;
    } else {
      pwriteAll(this.#fd, bytes, this.#base);
      this.#base += bytes.length;
      this.#early.reach(this.#base);
    }
  }

  /** Goes on at `position`, which is not behind; what lies between is zeros, without taking space where there is much. */
  skipTo(position: number): void {
    if (position > BLOCKS_MAX * BLOCK_SIZE)
      throw new SyscallError({ name: "pwrite64", text: `pwrite64(${position})`, errno: EFBIG });
    const length = position - this.position;
    if (length <= BUFFER_SIZE - this.#used) {
      this.#buffer.fill(0, this.#used, this.#used + length);
      this.#used += length;
    } else {
      this.#flush();
      this.#base = position;
    }
  }

  /** Goes on at the next block. */
  align(): void {
    this.skipTo(alignUp(this.position, BLOCK_SIZE));
  }

  /** Writes all that is held, and makes the file end at the position. */
  finish(): void {
    this.align();
    this.closeBlocks();
    this.#flush();
    ftruncate(this.#fd, this.#base);
  }

  /** Puts the blocks of inodes to their places, full or not. */
  closeBlocks(): void {
    for (const block of this.#open) this.#putBlock(block);
    this.#open = [];
  }

  #openBlock(): OpenBlock {
    if (this.#open.length === OPEN_BLOCKS) this.#putBlock(this.#takeFullest());
    const at = this.position;
    this.skipTo(at + BLOCK_SIZE);
    const block = this.#free.pop() ?? newBlock();
    block.bytes.fill(0);
    block.at = at;
    block.used = 0;
    this.#open.push(block);
    return block;
  }

  #takeFullest(): OpenBlock {
    let fullest = 0;
    for (let index = 1; index < OPEN_BLOCKS; index += 1)
      if ((this.#open[index]?.used ?? 0) > (this.#open[fullest]?.used ?? 0)) fullest = index;
    return this.#open.splice(fullest, 1)[0] as OpenBlock;
  }

  #putBlock(block: OpenBlock): void {
    const { bytes, at } = block;
    this.#free.push(block);
    this.#hash = BigInt(Bun.hash(bytes, this.#hash));
    if (at >= this.#base) this.#buffer.set(bytes, at - this.#base);
    else pwriteAll(this.#fd, bytes, at);
  }

  #flush(): void {
    if (this.#used > 0) pwriteAll(this.#fd, this.#buffer.subarray(0, this.#used), this.#base);
    this.#base += this.#used;
    this.#early.reach(this.#base);
    this.#used = 0;
  }
}

function newBlock(): OpenBlock {
  const buffer = new ArrayBuffer(BLOCK_SIZE);
  return { bytes: new Uint8Array(buffer), words: new Uint32Array(buffer), at: 0, used: 0 };
}
