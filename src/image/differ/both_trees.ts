/** What a container shows and what its image shows, side by side: what is compared, and how. */
import type { ByteString } from "../../fs/byte_string.ts";
import type { Timestamp } from "../tar/entry.ts";
import { unlessGone } from "../tree/gone.ts";
import type { LayerFiles, LayerNode } from "../tree/layer_files.ts";

/** The layer that a container writes to, and its image. */
export interface BothTrees {
  readonly upper: LayerFiles;
  /** The image's layers merged. */
  readonly lower: LayerFiles;
  /** Set when `upper` is no layer but the whole root, a copy (walk_copy.ts): true for files that are bunker's own. */
  readonly isOwn?: ((path: ByteString) => boolean) | undefined;
}

/** One name that the container may have changed. */
export interface MetNode {
  /** Relative to the root, without a "/" at either end. */
  readonly path: ByteString;
  /** What the container has there; undefined when it has removed the name. */
  readonly node: LayerNode | undefined;
  /** What the image has there. */
  readonly below: LayerNode | undefined;
  /** A directory that hides what the image's directory at its place holds. */
  readonly isOpaque: boolean;
  /** It stands in such a directory. */
  readonly isHidden: boolean;
}

/** True for two directories that differ in nothing but what they hold: one was copied because of that. */
export function isSameDirectory({ upper, lower }: BothTrees, node: LayerNode, below: LayerNode): boolean {
  if (node.kind !== "directory" || below.kind !== "directory") return false;
  return isSameTime(node.mtime, below.mtime) && hasSameAttributes({ upper, lower }, node, below);
}

/** To the nanosecond: overlayfs copies times as they are. */
export function isSameTime(one: Timestamp, other: Timestamp): boolean {
  return one.seconds === other.seconds && one.nanoseconds === other.nanoseconds;
}

/** The same without a look at the time. */
export function hasSameAttributes({ upper, lower }: BothTrees, node: LayerNode, below: LayerNode): boolean {
  if (node.mode !== below.mode || node.uid !== below.uid || node.gid !== below.gid) return false;
  const [own, other] = [unlessGone(() => upper.xattrs(node)), lower.xattrs(below)];
  if (own === undefined || own.size !== other.size) return false;
  return [...own].every(([name, value]) => {
    const before = other.get(name);
    return before !== undefined && Buffer.compare(value, before) === 0;
  });
}
