/**
 * Where the entries of one layer are written. The applier decides what becomes of an entry (whiteouts, replacements,
 * implied parents, hard links); a target does it: in a directory, or in a file system image (erofs/). Paths are resolved
 * by the applier, so a target is only ever given a directory of the layer and one name in it.
 */
import type { ByteString } from "../../fs/byte_string.ts";
import type { TarEntry } from "../tar/entry.ts";
import type { Skipped } from "./attributes.ts";
import type { DirectoryNode } from "./layer_tree.ts";

/** A name in a directory of the layer. */
export interface TreePlace {
  readonly directory: DirectoryNode;
  readonly name: ByteString;
}

/** Takes one layer; every method may throw a SyscallError: EEXIST when a name is taken, ENOSPC, ENAMETOOLONG … */
export interface LayerTarget extends Disposable {
  /** What could not be kept so far. */
  readonly skipped: Skipped;

  /** Begins a file with all its attributes; {@link write} and {@link finishFile} follow. */
  createFile(parent: DirectoryNode, name: ByteString, entry: TarEntry): void;
  /** Data of the file that was begun, in the order of its offsets; what is left out is a hole. */
  write(bytes: Uint8Array, offset: number): void;
  finishFile(): void;

  /** Makes an empty directory; `node` is not among its parent's children yet. */
  makeDirectory(node: DirectoryNode, mode: number): void;
  /** Gives a directory what an entry says of it, and takes from it what an earlier one said. */
  describeDirectory(node: DirectoryNode, entry: TarEntry, isNew: boolean): void;
  /** Gives a directory that no entry describes its mode. */
  setImpliedMode(node: DirectoryNode, mode: number): void;
  describeRoot(entry: TarEntry): void;

  createSymlink(parent: DirectoryNode, name: ByteString, entry: TarEntry): void;
  /** Makes a FIFO or a device, whose numbers exist. */
  createNode(parent: DirectoryNode, name: ByteString, entry: TarEntry): void;
  /** @returns 0, or a negated error number: ENOENT when `from` is not there, EEXIST when `to` is */
  link(from: TreePlace, to: TreePlace): number;

  exists(parent: DirectoryNode, name: ByteString): boolean;
  /** Removes a name and what is below it, also from the tree. */
  remove(parent: DirectoryNode, name: ByteString): void;

  /** Says that the layers below have nothing in this directory. */
  markOpaque(node: DirectoryNode): void;
  /** Says that the layers below do not have this name. @returns false when this layer has it itself, which says so already */
  createWhiteout(parent: DirectoryNode, name: ByteString): boolean;

  /** Does what has to come last. @param root of the layer's tree */
  finish(root: DirectoryNode): void;
}
