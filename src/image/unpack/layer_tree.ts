/**
 * What a layer has written so far, as far as paths depend on it: directories, symlinks, whiteouts; files are not
 * kept. Paths of an archive are resolved here, in memory, as chroot(2) would resolve them; the kernel is then given
 * only paths without symlinks and told to refuse any (fs/beneath.ts), so a mistake here cannot leave the layer.
 */
import type { ByteString } from "../../fs/byte_string.ts";
import type { Timestamp } from "../tar/entry.ts";

/** A directory of the layer, with what it holds that paths depend on. */
export interface DirectoryNode {
  readonly kind: "directory";
  readonly parent: DirectoryNode | undefined;
  readonly name: ByteString;
  /** Bytes of its path, slashes included: what it takes to say where it is. */
  readonly pathBytes: number;
  readonly children: Map<ByteString, Node>;
  /** True when no entry described it: it takes its attributes from the layers below. */
  implied: boolean;
  /** True when nothing of the layers below shows in it. */
  opaque: boolean;
  times: { readonly atime: Timestamp; readonly mtime: Timestamp } | undefined;
}

/** What a name stands for; a name that is not here may still be a file. */
export type Node =
  | DirectoryNode
  | { readonly kind: "symlink"; readonly target: ByteString }
  | { readonly kind: "whiteout" }
  /** A hard link whose target has not come yet: the name is taken all the same. */
  | { readonly kind: "waiting" };

/** Most symlinks on one path, as in the kernel (MAXSYMLINKS). */
const SYMLINKS_MAX = 40;

/** A path goes through too many symlinks. */
export class SymlinkLoop extends Error {}

/** The tree of one layer, and how paths go through it. */
export class LayerTree {
  readonly root: DirectoryNode = newDirectory(undefined, "");

  /**
   * Finds the directory at `path`, following symlinks; absolute ones start at the root, ".." ends there.
   * @param make called for a component that is no known directory or symlink: returns it, or undefined to give up
   * @throws {SymlinkLoop}
   */
  resolve(
    path: ByteString,
    make: (parent: DirectoryNode, name: ByteString) => DirectoryNode | undefined,
  ): DirectoryNode | undefined {
    const rest = path.split("/").reverse();
    let at = this.root;
    let symlinks = 0;
    for (let name = rest.pop(); name !== undefined; name = rest.pop()) {
      if (name === "" || name === ".") continue;
      if (name === "..") {
        at = at.parent ?? this.root;
        continue;
      }
      const child = at.children.get(name);
      if (child?.kind === "directory") {
        at = child;
      } else if (child?.kind === "symlink") {
        symlinks += 1;
        if (symlinks > SYMLINKS_MAX) throw new SymlinkLoop();
        if (child.target.startsWith("/")) at = this.root;
        for (const part of child.target.split("/").reverse()) rest.push(part);
      } else {
        const made = make(at, name);
        if (made === undefined) return undefined;
        at = made;
      }
    }
    return at;
  }
}

/** A directory of the tree; the caller puts it among its parent's children. */
export function newDirectory(parent: DirectoryNode | undefined, name: ByteString): DirectoryNode {
  const children = new Map<ByteString, Node>();
  const pathBytes = parent === undefined ? 0 : parent.pathBytes + name.length + 1;
  return {
    kind: "directory",
    parent,
    name,
    pathBytes,
    children,
    implied: false,
    opaque: false,
    times: undefined,
  };
}

/** Path below the root, without symlinks; "" for the root. */
export function pathOf(node: DirectoryNode): ByteString {
  const names: ByteString[] = [];
  for (let at = node; at.parent !== undefined; at = at.parent) names.push(at.name);
  return names.reverse().join("/");
}

/** False once the directory, or one above it, was replaced by a later entry. */
export function isAttached(node: DirectoryNode): boolean {
  for (let at = node; at.parent !== undefined; at = at.parent) {
    if (at.parent.children.get(at.name) !== at) return false;
  }
  return true;
}

/** All directories, each before those in it. */
export function* directoriesOf(root: DirectoryNode): Generator<DirectoryNode> {
  const pending = [root];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    yield node;
    for (const child of node.children.values()) if (child.kind === "directory") pending.push(child);
  }
}
