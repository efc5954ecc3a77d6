/**
 * Whiteouts of a layer, from the archive's form into that of the target. They speak of the layers below only: nothing
 * that this layer itself holds is removed, whatever the order (image-spec, layer.md#whiteouts).
 */
import type { ByteString } from "../../fs/byte_string.ts";
import type { LayerTarget, TreePlace } from "./layer_target.ts";
import { type DirectoryNode, isAttached } from "./layer_tree.ts";

/** Writes the whiteouts of one layer. */
export class Whiteouts {
  readonly #target: LayerTarget;
  readonly #made: TreePlace[] = [];

  constructor(target: LayerTarget) {
    this.#target = target;
  }

  /** Hides `name` of the layers below. */
  hide(parent: DirectoryNode, name: ByteString): void {
    const known = parent.children.get(name);
    if (known?.kind === "directory") {
      // It has nothing to do with what had the name below.
      known.implied = false;
      this.hideAll(known);
    } else if (known === undefined && this.#target.createWhiteout(parent, name)) {
      parent.children.set(name, { kind: "whiteout" });
      this.#made.push({ directory: parent, name });
    }
  }

  /** Hides everything that the layers below have in `node`. */
  hideAll(node: DirectoryNode): void {
    if (node.opaque) return;
    node.opaque = true;
    this.#target.markOpaque(node);
  }

  /** Removes whiteouts in opaque directories: readdir(3) of an overlay would show them as files. */
  removeHidden(): void {
    for (const { directory, name } of this.#made) {
      const isPresent = isAttached(directory) && directory.children.get(name)?.kind === "whiteout";
      if (isPresent && isInOpaque(directory)) this.#target.remove(directory, name);
    }
  }
}

/** Whether nothing of the layers below shows in a directory. */
export function isInOpaque(node: DirectoryNode): boolean {
  for (let at: DirectoryNode | undefined = node; at !== undefined; at = at.parent) if (at.opaque) return true;
  return false;
}
