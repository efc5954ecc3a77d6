/** Walks through a tree: each directory before what is in it, names in the order of their bytes. */
import type { ByteString } from "../../fs/byte_string.ts";
import { unlessGone } from "./gone.ts";
import type { LayerFiles, LayerNode } from "./layer_files.ts";

/** A node with its path. */
export interface FoundNode {
  /** Relative to the root, without a "/" at either end. */
  readonly path: ByteString;
  readonly node: LayerNode;
}

interface Level {
  readonly directory: LayerNode;
  /** Path of the directory with a "/" at its end; "" for the root. */
  readonly prefix: ByteString;
  readonly names: Iterator<ByteString>;
}

/**
 * Every node below the root, as far as it is there when its turn comes.
 * @param isPassedOver true for paths that are left out, with all below them
 */
export function* walkTree(
  files: LayerFiles,
  isPassedOver: (path: ByteString) => boolean = () => false,
): Generator<FoundNode> {
  const enter = (directory: LayerNode, prefix: ByteString): Level => {
    const names = unlessGone(() => files.list(directory)) ?? [];
    return { directory, prefix, names: names.values() };
  };
  // Levels of our own, not of calls: a container decides how deep its directories are.
  const levels = [enter(files.root, "")];
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const { directory, prefix } = level;
    const { value: name, done } = level.names.next();
    if (done === true) {
      levels.pop();
      continue;
    }
    if (isPassedOver(prefix + name)) continue;
    const node = unlessGone(() => files.lookup(directory, name));
    if (node === undefined) continue;
    yield { path: prefix + name, node };
    if (node.kind === "directory") levels.push(enter(node, `${prefix}${name}/`));
  }
}
