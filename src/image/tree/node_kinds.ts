/** Kinds of nodes and the type bits of a mode: inode(7). */
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFMT, S_IFREG } from "../../linux/abi/fcntl.ts";
import { S_IFLNK, S_IFSOCK } from "../../linux/abi/file.ts";
import type { LayerNodeKind } from "./layer_files.ts";

const KINDS: ReadonlyMap<number, LayerNodeKind> = new Map([
  [S_IFREG, "file"],
  [S_IFDIR, "directory"],
  [S_IFLNK, "symlink"],
  [S_IFCHR, "character"],
  [S_IFBLK, "block"],
  [S_IFIFO, "fifo"],
  [S_IFSOCK, "socket"],
]);

/** What a mode is of, a whiteout being a character device; undefined for bits that mean nothing. */
export const kindOfMode = (mode: number): LayerNodeKind | undefined => KINDS.get(mode & S_IFMT);

/** Type bits of a mode, by the kind of a node. */
export function typeBitsOf(kind: LayerNodeKind): number {
  if (kind === "whiteout") return S_IFCHR;
  for (const [bits, name] of KINDS) if (name === kind) return bits;
  return 0;
}
