/** Walks through what a container has changed, in whichever form it is kept. */
import type { BothTrees, MetNode } from "./both_trees.ts";
import { walkCopy } from "./walk_copy.ts";
import { walkLayer } from "./walk_layer.ts";

/** Every name that the container has written or removed, each directory before what is in it, in the order of bytes. */
export function walkChanges(trees: BothTrees): Generator<MetNode> {
  return trees.isOwn === undefined ? walkLayer(trees) : walkCopy(trees, trees.isOwn);
}
