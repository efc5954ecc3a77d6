/**
 * Hard links of a layer. A target may come later in the archive, then the link waits for it, or lie in a layer below,
 * then it is handed on. Chains of thousands of links are made one after the other, never by recursion.
 */
import type { ByteString } from "../../fs/byte_string.ts";
import { SyscallError } from "../../linux/call.ts";
import type { TarEntry } from "../tar/entry.ts";
import { LayerError } from "./layer_error.ts";
import { cleanPath } from "./layer_path.ts";
import type { LayerTarget } from "./layer_target.ts";
import { type DirectoryNode, isAttached, type LayerTree, pathOf } from "./layer_tree.ts";

const ENOENT = 2;
const EEXIST = 17;

/** A name that shall become a link. */
export interface NewLink {
  readonly parent: DirectoryNode;
  readonly name: ByteString;
  readonly entry: TarEntry;
}

/** A link whose target is not in its layer; paths relative to the root. */
export interface MissingLink {
  readonly path: ByteString;
  readonly target: ByteString;
  /** Path in the archive, for messages. */
  readonly entry: ByteString;
}

/** Makes the hard links of one layer, at once or at its end. */
export class HardLinks {
  readonly #target: LayerTarget;
  readonly #tree: LayerTree;
  #waiting: NewLink[] = [];

  constructor(target: LayerTarget, tree: LayerTree) {
    this.#target = target;
    this.#tree = tree;
  }

  /**
   * Makes a link, or keeps it for later.
   * @throws {LayerError} for a target outside the layer, or one that is a directory
   * @throws {SyscallError} EEXIST
   */
  link(link: NewLink): void {
    const result = this.#try(link);
    if (result === -ENOENT) this.#waiting.push(link);
    else if (result < 0) throw linkError(link, result);
  }

  /** Makes the links that waited, as far as their targets exist by now; the rest, whose targets do not. */
  finish(): MissingLink[] {
    for (let before = -1; this.#waiting.length !== before; ) {
      before = this.#waiting.length;
      // Backwards: a chain that points forward is then done in one round.
      this.#waiting = this.#waiting
        .reverse()
        .filter((link) => isAttached(link.parent) && !this.#isMade(link));
    }
    return this.#waiting.map(({ parent, name, entry }) => {
      const directory = pathOf(parent);
      return {
        path: directory === "" ? name : `${directory}/${name}`,
        target: cleanPath(entry.linkPath, entry.path),
        entry: entry.path,
      };
    });
  }

  /** True when nothing is left to do: made, or its name was taken by a later entry. */
  #isMade(link: NewLink): boolean {
    const result = this.#try(link);
    if (result < 0 && result !== -ENOENT && result !== -EEXIST) throw linkError(link, result);
    return result !== -ENOENT;
  }

  #try({ parent, name, entry }: NewLink): number {
    const target = cleanPath(entry.linkPath, entry.path);
    if (target === "") throw new LayerError(entry.path, "it is a hard link to the layer's root");
    const slash = target.lastIndexOf("/");
    const targetName = target.slice(slash + 1);
    const directory = this.#tree.resolve(slash < 0 ? "" : target.slice(0, slash), () => undefined);
    if (directory === undefined || directory.children.get(targetName)?.kind === "whiteout") return -ENOENT;
    if (directory.children.get(targetName)?.kind === "directory") {
      throw new LayerError(entry.path, "it is a hard link to a directory");
    }
    const result = this.#target.link({ directory, name: targetName }, { directory: parent, name });
    const targetNode = directory.children.get(targetName);
    // A link to a symlink is one as well: later paths may go through it.
    if (result === 0 && targetNode?.kind === "symlink") parent.children.set(name, targetNode);
    return result;
  }
}

function linkError({ entry }: NewLink, result: number): SyscallError {
  const text = `linkat(${JSON.stringify(entry.linkPath)})`;
  return new SyscallError({ name: "linkat", text, errno: -result });
}
