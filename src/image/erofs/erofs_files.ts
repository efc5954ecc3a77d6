/** Reads a layer that is an EROFS image, without mounting it. A damaged image is an error, never an endless walk. */
import { assert } from "../../assert.ts";
import type { ByteString } from "../../fs/byte_string.ts";
import { isOverlayXattr } from "../../fs/copy_node.ts";
import type { FileContent, LayerFiles, LayerNode } from "../tree/layer_files.ts";
import { BLOCK_SIZE, DIRENT_SIZE, NAME_BYTES_MAX } from "./format.ts";
import { type ErofsNode, ImageReader, latin1 } from "./image_reader.ts";
import { XATTR_ENTRY_SIZE, XATTR_HEADER_SIZE, XATTR_PREFIXES } from "./xattr_body.ts";

const LINK_BYTES_MAX = 4095;
const PREFIXES = new Map(XATTR_PREFIXES);
const OPAQUE = "trusted.overlay.opaque";

/** The file of one layer. */
export class ErofsFiles implements LayerFiles {
  readonly root: LayerNode;
  readonly reader: ImageReader;
  /** What was listed, as long as somebody keeps the directory. */
  readonly #listed = new WeakMap<LayerNode, ReadonlyMap<ByteString, number>>();
  /** Where each directory was found: one that has two places is damage, and could be a circle. */
  readonly #places = new Map<number, string>();

  /** @param path absolute @throws {SyscallError} ENOENT, EACCES; {LayerDamaged} */
  constructor(path: string) {
    this.reader = new ImageReader(path);
    const root = this.reader.node(this.reader.superBlock.rootNid);
    if (root.kind !== "directory") throw this.reader.damage("its root");
    this.#places.set(root.nid, "");
    this.root = root;
  }

  lookup(directory: LayerNode, name: ByteString): LayerNode | undefined {
    const nid = this.#namesOf(directory).get(name);
    if (nid === undefined) return undefined;
    const node = this.reader.node(nid);
    if (node.kind === "directory") this.#settle(node, `${nodeOf(directory).nid}/${name}`);
    return node;
  }

  list(directory: LayerNode): readonly ByteString[] {
    return [...this.#namesOf(directory).keys()];
  }

  readLink(node: LayerNode): ByteString {
    assert(node.kind === "symlink", "a symlink");
    if (node.size > LINK_BYTES_MAX) throw this.reader.damage("the target of a symlink");
    return latin1(this.#data(nodeOf(node)));
  }

  xattrs(node: LayerNode): ReadonlyMap<ByteString, Uint8Array> {
    const all = this.#xattrsOf(node);
    return new Map([...all].filter(([name]) => !isOverlayXattr(name)).sort(byName));
  }

  /** The content can be read as long as the layer is open. */
  open(file: LayerNode): FileContent {
    const node = nodeOf(file);
    assert(node.kind === "file", "a file");
    const read = (buffer: Uint8Array, position: number): number =>
      this.reader.readData(node, buffer, position);
    return { read, [Symbol.dispose]: () => undefined };
  }

  isOpaque(directory: LayerNode): boolean {
    const value = this.#xattrsOf(directory).get(OPAQUE);
    return value?.length === 1 && value[0] === 0x79;
  }

  [Symbol.dispose](): void {
    this.reader[Symbol.dispose]();
  }

  /** Names without "." and "..", in their order, with the numbers of their inodes. */
  #namesOf(directory: LayerNode): ReadonlyMap<ByteString, number> {
    const known = this.#listed.get(directory);
    if (known !== undefined) return known;
    const node = nodeOf(directory);
    assert(node.kind === "directory", "a directory");
    const names = new Map<ByteString, number>();
    const block = Buffer.from(new ArrayBuffer(BLOCK_SIZE));
    let last = "";
    for (let at = 0; at < node.size; at += BLOCK_SIZE) {
      const length = this.reader.readData(node, block, at);
      for (const [name, nid] of this.#entriesOf(block.subarray(0, length))) {
        if (name <= last) throw this.reader.damage(`the order of directory ${node.nid}`);
        last = name;
        if (name !== "." && name !== "..") names.set(name, nid);
      }
    }
    this.#listed.set(directory, names);
    return names;
  }

  *#entriesOf(block: Buffer): Generator<readonly [ByteString, number]> {
    const offsetOf = (index: number): number => block.readUInt16LE(index * DIRENT_SIZE + 8);
    const first = block.length >= DIRENT_SIZE ? offsetOf(0) : 0;
    const count = first / DIRENT_SIZE;
    if (count === 0 || !Number.isInteger(count) || first > block.length)
      throw this.reader.damage("a directory");
    for (let index = 0; index < count; index += 1) {
      const from = offsetOf(index);
      const to = index + 1 < count ? offsetOf(index + 1) : endOfName(block, from);
      const length = to - from;
      if (from < first || to > block.length || length < 1 || length > NAME_BYTES_MAX)
        throw this.reader.damage("a name of a directory");
      const name = block.toString("latin1", from, to);
      if (name.includes("/") || name.includes("\0")) throw this.reader.damage("a name of a directory");
      const at = index * DIRENT_SIZE;
      yield [name, block.readUInt32LE(at) + block.readUInt32LE(at + 4) * 0x1_0000_0000];
    }
  }

  #settle({ nid }: ErofsNode, place: string): void {
    const known = this.#places.get(nid);
    if (known !== undefined && known !== place) throw this.reader.damage(`the place of directory ${nid}`);
    this.#places.set(nid, place);
  }

  #xattrsOf(node: LayerNode): Map<ByteString, Uint8Array> {
    const found = new Map<ByteString, Uint8Array>();
    const own = nodeOf(node);
    if (own.xattrBytes === 0) return found;
    const bytes = this.reader.readXattrs(own);
    const damage = (): Error => this.reader.damage(`the attributes of inode ${own.nid}`);
    for (let at = XATTR_HEADER_SIZE; at + XATTR_ENTRY_SIZE <= bytes.length; ) {
      const nameFrom = at + XATTR_ENTRY_SIZE;
      const valueFrom = nameFrom + bytes.readUInt8(at);
      const to = valueFrom + bytes.readUInt16LE(at + 2);
      const prefix = PREFIXES.get(bytes.readUInt8(at + 1));
      if (prefix === undefined || to > bytes.length) throw damage();
      found.set(prefix + bytes.toString("latin1", nameFrom, valueFrom), bytes.subarray(valueFrom, to));
      at = Math.ceil(to / 4) * 4;
    }
    return found;
  }

  #data(node: ErofsNode): Buffer {
    const bytes = Buffer.from(new ArrayBuffer(node.size));
    this.reader.readData(node, bytes, 0);
    return bytes;
  }
}

const byName = ([one]: readonly [ByteString, unknown], [other]: readonly [ByteString, unknown]): number =>
  one < other ? -1 : 1;

/** The last name of a block ends with the block, or with a NUL. */
function endOfName(block: Buffer, from: number): number {
  const end = block.indexOf(0, from);
  return end < 0 ? block.length : end;
}

function nodeOf(node: LayerNode): ErofsNode {
  assert("nid" in node, "a node of an image");
  return node as ErofsNode;
}
