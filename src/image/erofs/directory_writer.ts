/**
 * Writes the directories of an image and its block 0, last of all. Their sizes are known before their content is, so all
 * get their places first: then each knows the numbers of those above and below it.
 *
 *     … data and inodes of files │ blocks of large directories │ inodes of directories, small ones with their content
 */
import type { ByteString } from "../../fs/byte_string.ts";
import { S_IFDIR } from "../../linux/abi/fcntl.ts";
import { pwriteAll } from "../../linux/file.ts";
import { crc32c } from "./crc32c.ts";
import { type BlockPlan, encodeBlock, type NameTarget, planBlocks } from "./directory_blocks.ts";
import {
  alignUp,
  BLOCK_SIZE,
  FLAT_INLINE,
  FLAT_PLAIN,
  INODE_SIZE,
  inodeAt,
  putInode,
  putSuper,
  ROOT_OFFSET,
  ROOT_ROOM,
  SLOT_SIZE,
  SUPER_OFFSET,
  superAt,
  TYPE_DIRECTORY,
} from "./format.ts";
import { type ImageDirectory, imageDirectories, nidOf, typeOf } from "./image_directory.ts";
import type { ImageOutput } from "./image_output.ts";
import { encodeXattrs } from "./xattr_body.ts";

const OPAQUE = ["trusted.overlay.opaque", "y"] as const;

/** What is written. */
export interface ImageContent {
  readonly fd: number;
  readonly output: ImageOutput;
  readonly root: ImageDirectory;
  /** Inodes of everything but directories. */
  readonly inodes: number;
  /** Packed numbers of inodes that may have several names: each is told how many. */
  readonly linked: ReadonlySet<number>;
}

/** Completes the image. @returns the number of attributes that could not be kept */
export function writeDirectories({ fd, output, root, inodes, linked }: ImageContent): number {
  output.align();
  output.closeBlocks();
  const layout = new DirectoryLayout(root, output.position);
  for (const plan of layout.plans)
    for (let index = 0; index < plan.whole; index += 1) appendBlock(output, layout.encode(plan, index));
  for (const plan of layout.plans) {
    if (plan.directory === root) continue;
    output.skipTo(plan.nid * SLOT_SIZE);
    output.append(layout.encodeInode(plan));
  }
  output.finish();
  for (const [packed, count] of countNames(root, linked)) {
    const bytes = new Uint8Array(Uint32Array.of(count).buffer);
    pwriteAll(fd, bytes, nidOf(packed) * SLOT_SIZE + inodeAt.nlink);
  }
  const first = new Uint8Array(new ArrayBuffer(BLOCK_SIZE));
  first.set(layout.encodeInode(layout.rootPlan), ROOT_OFFSET);
  writeFirstBlock(fd, first, { output, inodes: inodes + layout.plans.length });
  return layout.skipped;
}

function appendBlock(output: ImageOutput, block: Uint8Array): void {
  output.append(block);
  output.align();
}

/** Where a directory goes. */
interface Plan {
  readonly directory: ImageDirectory;
  readonly xattrs: Uint8Array;
  /** Sorted by bytes, "." and ".." among them. */
  readonly names: readonly ByteString[];
  readonly blocks: BlockPlan;
  /** Blocks that do not lie behind the inode. */
  readonly whole: number;
  /** Address of the first of them. */
  readonly block: number;
  nid: number;
}

/** Places of all directories. */
class DirectoryLayout {
  readonly plans: Plan[] = [];
  readonly rootPlan: Plan;
  /** Attributes that could not be kept. */
  skipped = 0;
  readonly #root: ImageDirectory;
  readonly #nids = new Map<ImageDirectory, number>();
  #nextBlock: number;

  constructor(root: ImageDirectory, position: number) {
    this.#root = root;
    this.#nextBlock = position / BLOCK_SIZE;
    for (const directory of imageDirectories(root)) this.plans.push(this.#plan(directory));
    const [rootPlan, ...others] = this.plans;
    if (rootPlan === undefined) throw new Error("Cannot happen: a tree without a root");
    this.rootPlan = rootPlan;
    this.#setNid(rootPlan, ROOT_OFFSET);
    let at = this.#nextBlock * BLOCK_SIZE;
    for (const plan of others) {
      const size = sizeOfInode(plan);
      // Neither inode nor tail may cross a block; what is larger than one begins with it.
      if ((at % BLOCK_SIZE) + size > BLOCK_SIZE) at = alignUp(at, BLOCK_SIZE);
      this.#setNid(plan, at);
      at = alignUp(at + size, SLOT_SIZE);
    }
  }

  /** One block of a directory. */
  encode({ directory, names, blocks }: Plan, index: number): Uint8Array {
    const part = names.slice(blocks.starts[index], blocks.starts[index + 1]);
    return encodeBlock(part, (name) => this.#targetOf(directory, name));
  }

  /** The inode with what lies behind it. */
  encodeInode(plan: Plan): Uint8Array {
    const { directory, xattrs, blocks, whole, block } = plan;
    const bytes = new Uint8Array(new ArrayBuffer(alignUp(sizeOfInode(plan), 4)));
    const isInline = whole < blocks.starts.length;
    putInode(new Uint32Array(bytes.buffer), 0, {
      ...directory,
      mode: S_IFDIR | directory.mode,
      size: blocks.size,
      nlink: 2 + subdirectories(directory),
      layout: isInline ? FLAT_INLINE : FLAT_PLAIN,
      union: whole === 0 ? 0 : block,
      xattrBytes: xattrs.length,
    });
    bytes.set(xattrs, INODE_SIZE);
    if (isInline) bytes.set(this.encode(plan, whole), INODE_SIZE + xattrs.length);
    return bytes;
  }

  #plan(directory: ImageDirectory): Plan {
    const names = [...directory.entries.keys(), ".", ".."].sort();
    const blocks = planBlocks(names);
    const room = directory === this.#root ? ROOT_ROOM : BLOCK_SIZE;
    const xattrs = this.#xattrsOf(directory, room);
    const tail = blocks.size % BLOCK_SIZE;
    const isInline = tail > 0 && INODE_SIZE + xattrs.length + tail <= room;
    const whole = blocks.starts.length - (isInline ? 1 : 0);
    const block = this.#nextBlock;
    this.#nextBlock += whole;
    return { directory, xattrs, names, blocks, whole, block, nid: 0 };
  }

  /** Attributes of the root have to fit into block 0; they show nowhere, since a container's root has its own. */
  #xattrsOf(directory: ImageDirectory, room: number): Uint8Array {
    const marks = directory.opaque ? [OPAQUE] : [];
    const { bytes, skipped } = encodeXattrs([...marks, ...directory.xattrs], "directory");
    this.skipped += skipped;
    if (directory !== this.#root || INODE_SIZE + bytes.length <= room) return bytes;
    this.skipped += directory.xattrs.size;
    return encodeXattrs(marks, "directory").bytes;
  }

  #setNid(plan: Plan, offset: number): void {
    plan.nid = offset / SLOT_SIZE;
    this.#nids.set(plan.directory, plan.nid);
  }

  #targetOf(directory: ImageDirectory, name: ByteString): NameTarget {
    const entry =
      name === "."
        ? directory
        : name === ".."
          ? (directory.parent ?? directory)
          : directory.entries.get(name);
    if (typeof entry === "number") return { nid: nidOf(entry), type: typeOf(entry) };
    return { nid: (entry && this.#nids.get(entry)) ?? 0, type: TYPE_DIRECTORY };
  }
}

/** Bytes of a directory's inode, its attributes, and its tail. */
function sizeOfInode({ xattrs, blocks, whole }: Plan): number {
  const tail = whole < blocks.starts.length ? blocks.size % BLOCK_SIZE : 0;
  return INODE_SIZE + xattrs.length + tail;
}

function subdirectories({ entries }: ImageDirectory): number {
  let count = 0;
  for (const entry of entries.values()) if (typeof entry !== "number") count += 1;
  return count;
}

function countNames(root: ImageDirectory, linked: ReadonlySet<number>): Map<number, number> {
  const counts = new Map<number, number>();
  if (linked.size === 0) return counts;
  for (const { entries } of imageDirectories(root))
    for (const entry of entries.values())
      if (typeof entry === "number" && linked.has(entry)) counts.set(entry, (counts.get(entry) ?? 0) + 1);
  return counts;
}

/** @param first block 0 with the root's inode */
function writeFirstBlock(
  fd: number,
  first: Uint8Array,
  { output, inodes }: { readonly output: ImageOutput; readonly inodes: number },
): void {
  const uuid = new Uint8Array(BigUint64Array.of(output.hash, BigInt(Bun.hash(first, output.hash))).buffer);
  putSuper(first, { inodes, blocks: output.position / BLOCK_SIZE, uuid });
  const view = new DataView(first.buffer);
  view.setUint32(SUPER_OFFSET + superAt.checksum, crc32c(first.subarray(SUPER_OFFSET)), true);
  pwriteAll(fd, first, 0);
}
