/**
 * Writes inodes of everything but directories, and the data of files: whole blocks as they come, then what is left over
 * behind the inode where it has room. The inode goes first, since its size is known.
 */
import { alignUp, BLOCK_SIZE, FLAT_INLINE, FLAT_PLAIN, INODE_SIZE, putInode, SLOT_SIZE } from "./format.ts";
import type { ImageOutput, Slot } from "./image_output.ts";

/** A file, of whatever type. */
export interface NewInode {
  /** With type bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: { readonly seconds: number; readonly nanoseconds: number };
  /** Bytes of data that follow, holes included. */
  readonly size: number;
  /** Numbers of a device, as makedev() packs them; 0 otherwise. */
  readonly device: number;
  /** As encodeXattrs() makes them. */
  readonly xattrs: Uint8Array;
}

/** Writes one inode after the other. */
export class FileWriter {
  readonly #output: ImageOutput;
  /** Inodes so far. */
  count = 0;
  /** Where the data of the file at hand begins, and how much of it goes there. */
  #dataAt = 0;
  #blockBytes = 0;
  #slot: Slot | undefined;
  #tailAt = 0;

  constructor(output: ImageOutput) {
    this.#output = output;
  }

  /** Begins a file; {@link write} and {@link finish} follow. @returns the number of its inode */
  begin(inode: NewInode): number {
    const { size, xattrs, device } = inode;
    const headSize = INODE_SIZE + xattrs.length;
    const tail = size % BLOCK_SIZE;
    const isInline = tail > 0 && headSize + tail <= BLOCK_SIZE;
    const slot = this.#place(isInline ? headSize + tail : headSize);
    this.count += 1;
    this.#blockBytes = isInline ? size - tail : size;
    const isLarge = headSize > BLOCK_SIZE;
    this.#dataAt = this.#output.position + (isLarge ? slot.bytes.length : 0);
    this.#slot = slot;
    this.#tailAt = slot.offset + headSize;
    putInode(slot.words, slot.offset, {
      ...inode,
      nlink: 1,
      layout: isInline ? FLAT_INLINE : FLAT_PLAIN,
      union: this.#blockBytes > 0 ? this.#dataAt / BLOCK_SIZE : device,
      xattrBytes: xattrs.length,
    });
    slot.bytes.set(xattrs, slot.offset + INODE_SIZE);
    if (isLarge) this.#output.append(slot.bytes);
    return slot.nid;
  }

  /** Data in the order of its offsets; what is left out is a hole. */
  write(bytes: Uint8Array, offset: number): void {
    const blockBytes = this.#blockBytes;
    if (offset < blockBytes) {
      const at = this.#dataAt + offset;
      if (at > this.#output.position) this.#output.skipTo(at);
      this.#output.append(
        offset + bytes.length > blockBytes ? bytes.subarray(0, blockBytes - offset) : bytes,
      );
    }
    if (offset + bytes.length <= blockBytes || this.#slot === undefined) return;
    const done = Math.max(0, blockBytes - offset);
    this.#slot.bytes.set(done > 0 ? bytes.subarray(done) : bytes, this.#tailAt + offset + done - blockBytes);
  }

  finish(): void {
    this.#slot = undefined;
    if (this.#blockBytes > 0) this.#output.skipTo(this.#dataAt + alignUp(this.#blockBytes, BLOCK_SIZE));
    this.#blockBytes = 0;
  }

  #place(size: number): Slot {
    if (size <= BLOCK_SIZE) return this.#output.place(size);
    // Attributes of more than a block: blocks of its own.
    const buffer = new ArrayBuffer(alignUp(size, BLOCK_SIZE));
    const nid = this.#output.position / SLOT_SIZE;
    return { bytes: new Uint8Array(buffer), words: new Uint32Array(buffer), offset: 0, nid };
  }
}
