/**
 * Changes a layer that is unpacked, before it is put in place: what layer_completion.ts needs, whatever the form. Paths are
 * relative to the layer's root, without symlinks; a directory keeps its time when something in it changes.
 */
import type { ByteString } from "../../fs/byte_string.ts";
import type { LayerNodeKind } from "../tree/layer_files.ts";
import type { LayerSource } from "../tree/write_node.ts";

/** An open layer; every method may throw a SyscallError. */
export interface LayerEditor extends Disposable {
  /** What the layer itself has at a path; "" is its root. */
  kindOf(path: ByteString): LayerNodeKind | undefined;
  /** Whether a name only takes one away from the layers below; in the archive's form a file `.wh.NAME`. */
  isMark(path: ByteString): boolean;
  readLink(path: ByteString): ByteString;
  list(directory: ByteString): readonly ByteString[];
  /** Gives a directory attributes and time of another. */
  describe(directory: ByteString, source: LayerSource): void;
  /** Gives a directory attributes and time of another one of this layer. */
  describeAs(directory: ByteString, model: ByteString): void;
  /** Whether a directory hides what is below. */
  isOpaque(directory: ByteString): boolean;
  /** Makes a directory hide what is below. */
  markOpaque(directory: ByteString): void;
  makeDirectory(path: ByteString, source: LayerSource): void;
  /** Copies what is no directory. @returns false for what cannot be copied */
  copyFile(path: ByteString, source: LayerSource): boolean;
  /** Gives a file a second name; does nothing when that is taken. */
  link(from: ByteString, to: ByteString): void;
  /** Moves something with all that is below it, in the place of what is there. */
  move(from: ByteString, to: ByteString): void;
  removeDirectory(path: ByteString): void;
  /** Removes what is no directory. */
  removeFile(path: ByteString): void;
  /** Writes what has been held back. */
  finish(): void;
}
