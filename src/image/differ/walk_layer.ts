/**
 * Walks through what a container has written, beside what its image has at the same places. A name that the image has
 * and the container has not any more is met too, however overlayfs says so: by a whiteout, or by a directory that hides
 * all that lies below (opaque), or that stands in such a one.
 */
import type { ByteString } from "../../fs/byte_string.ts";
import { unlessGone } from "../tree/gone.ts";
import type { LayerNode } from "../tree/layer_files.ts";
import type { BothTrees, MetNode } from "./both_trees.ts";

interface Level {
  readonly directory: LayerNode;
  /** The image's directory at this place. */
  readonly below: LayerNode | undefined;
  readonly isHidden: boolean;
  /** Path with a "/" at its end; "" for the root. */
  readonly prefix: ByteString;
  readonly names: Iterator<ByteString>;
}

/** Every name of the layer, each directory before what is in it, in the order of bytes. */
export function* walkLayer({ upper, lower }: BothTrees): Generator<MetNode> {
  const enter = (place: Omit<Level, "names">): Level => {
    const own = unlessGone(() => upper.list(place.directory)) ?? [];
    const hidden = place.isHidden && place.below !== undefined ? lower.list(place.below) : [];
    const names = hidden.length === 0 ? own : [...new Set([...own, ...hidden])].sort();
    return { ...place, names: names.values() };
  };
  // Levels of our own, not of calls: a container decides how deep its directories are.
  const root = { directory: upper.root, below: lower.root, isHidden: false, prefix: "" };
  const levels = [enter(root)];
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const { value: name, done } = level.names.next();
    if (done === true) {
      levels.pop();
      continue;
    }
    const met = meet({ upper, lower }, level, name);
    if (met === undefined) continue;
    yield met;
    const { path, node, below, isOpaque, isHidden } = met;
    if (node?.kind !== "directory") continue;
    const directoryBelow = below?.kind === "directory" ? below : undefined;
    levels.push(
      enter({ directory: node, below: directoryBelow, isHidden: isHidden || isOpaque, prefix: `${path}/` }),
    );
  }
}

/** @returns undefined for a name that is gone, or that neither of the two has */
function meet(
  { upper, lower }: BothTrees,
  { directory, below: directoryBelow, isHidden, prefix }: Level,
  name: ByteString,
): MetNode | undefined {
  const found = unlessGone(() => upper.lookup(directory, name));
  const below = directoryBelow === undefined ? undefined : lower.lookup(directoryBelow, name);
  const path = prefix + name;
  if (found === undefined || found.kind === "whiteout") {
    // A whiteout of nothing: the name came and went, or is one of bunker's own mount points.
    return below && { path, node: undefined, below, isOpaque: false, isHidden };
  }
  const isDirectory = found.kind === "directory" && below?.kind === "directory";
  const isOpaque = isDirectory && unlessGone(() => upper.isOpaque(found)) === true;
  return { path, node: found, below, isOpaque, isHidden };
}
