/**
 * One way to read what layers hold, whatever form they have on the disk, and what a whole stack of them shows. Nothing
 * is mounted and nothing is written; names are bytes. Attributes are those of the files as they lie there: whoever reads
 * the layers of an ordinary user does it as root of that user's namespace.
 */
import type { ByteString } from "../../fs/byte_string.ts";
import type { Timestamp } from "../tar/entry.ts";

/** What a name of a layer stands for; `whiteout` says that the layers below lose the name. */
export type LayerNodeKind =
  | "file"
  | "directory"
  | "symlink"
  | "character"
  | "block"
  | "fifo"
  | "socket"
  | "whiteout";

/** One file of whatever kind. Handed back to the {@link LayerFiles} that it came from, and to no other. */
export interface LayerNode {
  readonly kind: LayerNodeKind;
  /** Permission bits, 0 to 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of a file's content, or of a symlink's target; of no meaning for other kinds. */
  readonly size: number;
  readonly mtime: Timestamp;
  /** Numbers of a device, 0 for everything else. */
  readonly rdev: { readonly major: number; readonly minor: number };
  /** The same for all names of one file; undefined when it has one name only. */
  readonly linkKey: string | undefined;
}

/** The content of a file; disposing of it closes the file. */
export interface FileContent extends Disposable {
  /** Bytes of the file that lie in holes, and are read as zeros without being read [0]. */
  readonly holeBytes?: number;
  /** Fills `buffer` from `position` on as far as the file goes. @returns the bytes read; 0 at the file's end */
  read(buffer: Uint8Array, position: number): number;
}

/** A layer, or what a stack of layers shows. Names have no "/" and are neither "." nor "..". */
export interface LayerFiles extends Disposable {
  readonly root: LayerNode;
  /** Finds a name in a directory without following a symlink. A stack of layers shows no whiteouts. */
  lookup(directory: LayerNode, name: ByteString): LayerNode | undefined;
  /** Names in a directory, sorted by their bytes; those of whiteouts too, but for a stack of layers. */
  list(directory: LayerNode): readonly ByteString[];
  /** Target of a symlink. */
  readLink(node: LayerNode): ByteString;
  /** Extended attributes without overlayfs' own. */
  xattrs(node: LayerNode): ReadonlyMap<ByteString, Uint8Array>;
  /** Opens a file's content. The caller owns the result. */
  open(file: LayerNode): FileContent;
  /** True when nothing that the layers below have in a directory shows. */
  isOpaque(directory: LayerNode): boolean;
}
