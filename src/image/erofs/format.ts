/**
 * The EROFS disk format, as far as layers use it (Linux, fs/erofs/erofs_fs.h): uncompressed, blocks of 4 KiB, every inode
 * in its extended form, which alone has times. All numbers are little-endian.
 *
 *     block 0:  1024 bytes unused │ super block, 128 bytes │ inode of the root, up to the end of the block
 *     after it: blocks with inodes (each followed by its attributes and the tail of its data) and blocks of data, mixed
 *
 * An inode's number is its offset in the file / 32, so that it may lie anywhere: a layer is written in one pass.
 */

/** Bytes of a block; superAt.blockBits says so. */
export const BLOCK_SIZE = 4096;
const BLOCK_BITS = 12;
/** Inodes begin at multiples of this. */
export const SLOT_SIZE = 32;
/** Where the super block stands in block 0. */
export const SUPER_OFFSET = 1024;
export const SUPER_SIZE = 128;
export const INODE_SIZE = 64;
export const ROOT_OFFSET = SUPER_OFFSET + SUPER_SIZE;
/** Bytes for the root's inode and what lies behind it. */
export const ROOT_ROOM = BLOCK_SIZE - ROOT_OFFSET;
/** Block addresses have 32 bits. */
export const BLOCKS_MAX = 0xffff_ffff;
export const NAME_BYTES_MAX = 255;

/** EROFS_SUPER_MAGIC_V1. */
export const MAGIC = 0xe0f5e1e2;
/** The checksum is there; inodes have modification times. */
const COMPAT = 0x3;

/** Offsets in struct erofs_super_block. */
export const superAt = {
  magic: 0,
  checksum: 4,
  compat: 8,
  blockBits: 12,
  extensions: 13,
  rootNid: 14,
  inodes: 16,
  buildTime: 24,
  blocks: 36,
  metaBlock: 40,
  xattrBlock: 44,
  uuid: 48,
  incompat: 80,
  extraDevices: 86,
  directoryBits: 90,
} as const;

/** Offsets in struct erofs_inode_extended. */
export const inodeAt = {
  format: 0,
  xattrCount: 2,
  mode: 4,
  size: 8,
  /** First block of the data, or numbers of a device. */
  union: 16,
  serial: 20,
  uid: 24,
  gid: 28,
  mtime: 32,
  mtimeNanoseconds: 40,
  nlink: 44,
} as const;

/** Where the data of an inode lies: all in blocks, or its last part behind the inode. */
export const FLAT_PLAIN = 0;
export const FLAT_INLINE = 2;
const EXTENDED = 1;

/** Bytes of struct erofs_dirent: nid, offset of the name in the block, type. */
export const DIRENT_SIZE = 12;
/** Types of names (EROFS_FT_*), by the type bits of a mode shifted down. */
export const FILE_TYPE: Readonly<Record<number, number>> = { 8: 1, 4: 2, 2: 3, 6: 4, 1: 5, 12: 6, 10: 7 };
export const TYPE_DIRECTORY = 2;

/** An inode to be written. */
export interface InodeFields {
  /** With type bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: { readonly seconds: number; readonly nanoseconds: number };
  readonly nlink: number;
  readonly layout: number;
  readonly union: number;
  /** Bytes of the attributes behind it: 0, or at least 12. */
  readonly xattrBytes: number;
}

/** Writes an inode; `offset` is a multiple of 4. */
export function putInode(words: Uint32Array, offset: number, inode: InodeFields): void {
  const at = offset / 4;
  const xattrCount = inode.xattrBytes === 0 ? 0 : (inode.xattrBytes - 12) / 4 + 1;
  words[at] = EXTENDED | (inode.layout << 1) | (xattrCount << 16);
  words[at + 1] = inode.mode;
  putLong(words, at + 2, inode.size);
  words[at + 4] = inode.union;
  words[at + 5] = 0;
  words[at + 6] = inode.uid;
  words[at + 7] = inode.gid;
  putLong(words, at + 8, inode.mtime.seconds);
  words[at + 10] = inode.mtime.nanoseconds;
  words[at + 11] = inode.nlink;
  words.fill(0, at + 12, at + 16);
}

/** A number of 64 bits with its sign. */
export function putLong(words: Uint32Array, index: number, value: number): void {
  words[index] = value >>> 0;
  words[index + 1] = Math.floor(value / 0x1_0000_0000);
}

/** What a super block says. */
export interface SuperFields {
  readonly inodes: number;
  readonly blocks: number;
  /** 16 bytes. */
  readonly uuid: Uint8Array;
}

/** Writes the super block at its place in block 0, but for its checksum. */
export function putSuper(block: Uint8Array, { inodes, blocks, uuid }: SuperFields): void {
  const view = new DataView(block.buffer, block.byteOffset + SUPER_OFFSET, SUPER_SIZE);
  view.setUint32(superAt.magic, MAGIC, true);
  view.setUint32(superAt.checksum, 0, true);
  view.setUint32(superAt.compat, COMPAT, true);
  view.setUint8(superAt.blockBits, BLOCK_BITS);
  view.setUint16(superAt.rootNid, ROOT_OFFSET / SLOT_SIZE, true);
  view.setUint32(superAt.inodes, inodes, true);
  view.setUint32(superAt.blocks, blocks, true);
  block.set(uuid, SUPER_OFFSET + superAt.uuid);
}

/** Next multiple of `unit`, a power of two below 2^31. */
export const alignUp = (value: number, unit: number): number => Math.ceil(value / unit) * unit;
