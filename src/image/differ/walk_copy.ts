/**
 * The same as walk_layer.ts where a container's root is a copy of its image, changed in place: both trees are compared
 * name by name. What differs in nothing that stat(2) tells is the same; content is not read.
 */
import type { ByteString } from "../../fs/byte_string.ts";
import { unlessGone } from "../tree/gone.ts";
import type { LayerFiles, LayerNode } from "../tree/layer_files.ts";
import { type BothTrees, hasSameAttributes, isSameTime, type MetNode } from "./both_trees.ts";

interface Level {
  readonly directory: LayerNode;
  /** The image's directory at this place. */
  readonly below: LayerNode | undefined;
  /** Path with a "/" at its end; "" for the root. */
  readonly prefix: ByteString;
  readonly names: Iterator<ByteString>;
}

/**
 * Every name that differs, and directories on the way, each before what is in it, in the order of bytes.
 * @param isOwn true for paths whose files are bunker's and not the container's
 */
export function* walkCopy(trees: BothTrees, isOwn: (path: ByteString) => boolean): Generator<MetNode> {
  const { upper, lower } = trees;
  const enter = (place: Omit<Level, "names">): Level => ({ ...place, names: namesOf(trees, place).values() });
  const levels = [enter({ directory: upper.root, below: lower.root, prefix: "" })];
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const { value: name, done } = level.names.next();
    if (done === true) {
      levels.pop();
      continue;
    }
    const path = level.prefix + name;
    const met = isOwn(path) ? undefined : meet(trees, level, { path, name });
    if (met === undefined) continue;
    yield met;
    if (met.node?.kind !== "directory") continue;
    const below = met.below?.kind === "directory" ? met.below : undefined;
    levels.push(enter({ directory: met.node, below, prefix: `${path}/` }));
  }
}

function namesOf(
  { upper, lower }: { readonly upper: LayerFiles; readonly lower: LayerFiles },
  { directory, below }: Pick<Level, "directory" | "below">,
): readonly ByteString[] {
  const own = unlessGone(() => upper.list(directory)) ?? [];
  return below === undefined ? own : [...new Set([...own, ...lower.list(below)])].sort();
}

function meet(
  trees: BothTrees,
  level: Level,
  { path, name }: { readonly path: ByteString; readonly name: ByteString },
): MetNode | undefined {
  const node = unlessGone(() => trees.upper.lookup(level.directory, name));
  const below = level.below === undefined ? undefined : trees.lower.lookup(level.below, name);
  const met = { path, node, below, isOpaque: false, isHidden: false };
  // Devices of the image are left out of the copy.
  if (node === undefined) return below === undefined || isDevice(below) ? undefined : met;
  return below !== undefined && isSameFile(trees, node, below) ? undefined : met;
}

const isDevice = ({ kind }: LayerNode): boolean => kind === "character" || kind === "block";

/** Directories are never taken for the same: something in them may differ. */
function isSameFile(trees: BothTrees, node: LayerNode, below: LayerNode): boolean {
  if (node.kind === "directory" || node.kind !== below.kind) return false;
  if (node.size !== below.size || !isSameTime(node.mtime, below.mtime)) return false;
  if (node.kind === "symlink") {
    const target = unlessGone(() => trees.upper.readLink(node));
    if (target !== trees.lower.readLink(below)) return false;
  }
  return hasSameAttributes(trees, node, below);
}
