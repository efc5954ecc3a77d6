/**
 * Reads an EROFS image that a layer was written to, and refuses what no layer is: every number of the file is checked
 * against the file's size before it is used.
 */
import { BunkerError } from "../../errors.ts";
import type { ByteString } from "../../fs/byte_string.ts";
import { AT_FDCWD, O_NOFOLLOW, O_RDONLY } from "../../linux/abi/fcntl.ts";
import { call } from "../../linux/call.ts";
import { Fd, openat, tryStatx } from "../../linux/file.ts";
import type { LayerNode } from "../tree/layer_files.ts";
import { kindOfMode } from "../tree/node_kinds.ts";
import { crc32c } from "./crc32c.ts";
import {
  BLOCK_SIZE,
  FLAT_INLINE,
  FLAT_PLAIN,
  INODE_SIZE,
  inodeAt,
  MAGIC,
  SLOT_SIZE,
  SUPER_OFFSET,
  superAt,
} from "./format.ts";
import { XATTR_HEADER_SIZE } from "./xattr_body.ts";

/** A layer's file is not what it was written as. */
export class LayerDamaged extends BunkerError {
  readonly code = "LAYER_DAMAGED";
}

/** One inode; where its data lies, and where the attributes behind it. */
export interface ErofsNode extends LayerNode {
  readonly nid: number;
  readonly layout: number;
  readonly block: number;
  readonly xattrBytes: number;
}

/** Numbers of the super block. */
export interface SuperBlock {
  readonly rootNid: number;
  readonly inodes: number;
  readonly uuid: Uint8Array;
}

/** An open image. */
export class ImageReader implements Disposable {
  readonly path: string;
  readonly superBlock: SuperBlock;
  readonly sizeBytes: number;
  readonly #fd: Fd;
  /** The block that was read last: inodes of neighbours lie in it. */
  #blockAt = -1;
  readonly #block = Buffer.from(new ArrayBuffer(BLOCK_SIZE));

  /** @throws {SyscallError} ENOENT, EACCES; {LayerDamaged} */
  constructor(path: string) {
    this.path = path;
    this.#fd = new Fd(openat(AT_FDCWD, path, { flags: O_RDONLY | O_NOFOLLOW }));
    try {
      const stat = tryStatx(this.#fd.number, "");
      this.sizeBytes = typeof stat === "number" ? 0 : stat.size;
      this.superBlock = this.#readSuper();
    } catch (error) {
      this.#fd[Symbol.dispose]();
      throw error;
    }
  }

  /** @throws {LayerDamaged} when there is no inode of that number */
  node(nid: number): ErofsNode {
    const at = nid * SLOT_SIZE;
    if (!Number.isSafeInteger(at) || at % BLOCK_SIZE > BLOCK_SIZE - INODE_SIZE)
      throw this.damage(`inode ${nid}`);
    const bytes = this.#inode(at);
    const format = bytes.readUInt16LE(inodeAt.format);
    const layout = format >> 1;
    if ((format & 1) === 0 || (layout !== FLAT_PLAIN && layout !== FLAT_INLINE))
      throw this.damage(`inode ${nid}`);
    const mode = bytes.readUInt16LE(inodeAt.mode);
    const count = bytes.readUInt16LE(inodeAt.xattrCount);
    const union = bytes.readUInt32LE(inodeAt.union);
    const kind = kindOfMode(mode);
    if (kind === undefined) throw this.damage(`the type of inode ${nid}`);
    const isDevice = kind === "character" || kind === "block";
    const node = {
      nid,
      layout,
      block: union,
      xattrBytes: count === 0 ? 0 : XATTR_HEADER_SIZE + (count - 1) * 4,
      kind: kind === "character" && union === 0 ? ("whiteout" as const) : kind,
      mode: mode & 0o7777,
      uid: bytes.readUInt32LE(inodeAt.uid),
      gid: bytes.readUInt32LE(inodeAt.gid),
      size: readLong(bytes, inodeAt.size),
      mtime: {
        seconds: readLong(bytes, inodeAt.mtime),
        nanoseconds: bytes.readUInt32LE(inodeAt.mtimeNanoseconds),
      },
      rdev: isDevice ? deviceOf(union) : { major: 0, minor: 0 },
      linkKey: kind !== "directory" && bytes.readUInt32LE(inodeAt.nlink) > 1 ? String(nid) : undefined,
    };
    this.#checkData(node);
    return node;
  }

  /** Reads from the data of a file, directory or symlink. @returns the bytes read; 0 at its end */
  readData(node: ErofsNode, buffer: Uint8Array, position: number): number {
    const length = Math.min(buffer.length, Math.max(0, node.size - position));
    const inBlocks = blockBytesOf(node);
    let done = 0;
    while (done < length) {
      const at = position + done;
      const isTail = at >= inBlocks;
      const count = Math.min(length - done, isTail ? length : inBlocks - at);
      const from = isTail ? tailOf(node) + (at - inBlocks) : node.block * BLOCK_SIZE + at;
      this.#read(buffer.subarray(done, done + count), from);
      done += count;
    }
    return done;
  }

  /** The attributes behind an inode, undecoded. */
  readXattrs(node: ErofsNode): Buffer {
    const bytes = Buffer.from(new ArrayBuffer(node.xattrBytes));
    this.#read(bytes, node.nid * SLOT_SIZE + INODE_SIZE);
    return bytes;
  }

  damage(what: string): LayerDamaged {
    return new LayerDamaged(`Cannot read layer "${this.path}": ${what} is damaged`, {
      hint: "Run bunker system check --repair, then pull the image again",
    });
  }

  [Symbol.dispose](): void {
    this.#fd[Symbol.dispose]();
  }

  #readSuper(): SuperBlock {
    const block = Buffer.from(new ArrayBuffer(BLOCK_SIZE));
    this.#read(block, 0);
    const bytes = block.subarray(SUPER_OFFSET);
    const found = bytes.readUInt32LE(superAt.checksum);
    bytes.writeUInt32LE(0, superAt.checksum);
    const isWhole = bytes.readUInt32LE(superAt.magic) === MAGIC && crc32c(bytes) === found;
    const isOurs = bytes.readUInt32LE(superAt.incompat) === 0 && bytes.readUInt32LE(superAt.metaBlock) === 0;
    if (!isWhole || !isOurs || bytes.readUInt32LE(superAt.blocks) * BLOCK_SIZE !== this.sizeBytes)
      throw this.damage("its first block");
    return {
      rootNid: bytes.readUInt16LE(superAt.rootNid),
      inodes: readLong(bytes, superAt.inodes),
      uuid: new Uint8Array(bytes.subarray(superAt.uuid, superAt.uuid + 16)),
    };
  }

  #inode(at: number): Buffer {
    const blockAt = at - (at % BLOCK_SIZE);
    if (blockAt !== this.#blockAt) {
      this.#blockAt = -1;
      this.#read(this.#block, blockAt);
      this.#blockAt = blockAt;
    }
    return this.#block.subarray(at - blockAt, at - blockAt + INODE_SIZE);
  }

  #checkData(node: ErofsNode): void {
    const { kind, nid, size } = node;
    const hasData = kind === "file" || kind === "directory" || kind === "symlink";
    const inBlocks = hasData ? blockBytesOf(node) : 0;
    const tail = hasData ? size - inBlocks : 0;
    const isInside =
      Number.isSafeInteger(size) &&
      size >= 0 &&
      (inBlocks === 0 || node.block * BLOCK_SIZE + inBlocks <= this.sizeBytes) &&
      (tail === 0 || (tailOf(node) % BLOCK_SIZE) + tail <= BLOCK_SIZE) &&
      tailOf(node) + tail <= this.sizeBytes;
    if (!isInside) throw this.damage(`the size of inode ${nid}`);
  }

  /** Fills the buffer. @throws {LayerDamaged} when the file ends before */
  #read(buffer: Uint8Array, position: number): void {
    for (let done = 0; done < buffer.length; ) {
      const rest = done === 0 ? buffer : buffer.subarray(done);
      const count = call("pread64", this.#fd.number, rest, rest.length, position + done);
      if (count === 0) throw this.damage("its end");
      done += count;
    }
  }
}

/** Bytes of the data that lie in blocks; the rest is behind the inode. */
export function blockBytesOf({ layout, size }: ErofsNode): number {
  return layout === FLAT_INLINE ? size - (size % BLOCK_SIZE) : size;
}

const tailOf = ({ nid, xattrBytes }: ErofsNode): number => nid * SLOT_SIZE + INODE_SIZE + xattrBytes;

/** A number of 64 bits with its sign; what is beyond 2^53 no layer has, and comes out unsafe. */
function readLong(bytes: Buffer, offset: number): number {
  return bytes.readUInt32LE(offset) + bytes.readInt32LE(offset + 4) * 0x1_0000_0000;
}

/** As makedev() packs it. */
function deviceOf(packed: number): { major: number; minor: number } {
  return { major: (packed >>> 8) & 0xfff, minor: (packed & 0xff) | ((packed >>> 12) & 0xfff00) };
}

/** Bytes as text, one character each. */
export const latin1 = (bytes: Buffer): ByteString => bytes.toString("latin1");
