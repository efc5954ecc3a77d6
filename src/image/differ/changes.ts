/** What a container has changed of its image's files: what `diff` tells, by docker's rules. */
import type { ByteString } from "../../fs/byte_string.ts";
import type { Timestamp } from "../tar/entry.ts";
import type { LayerNode } from "../tree/layer_files.ts";
import { type BothTrees, hasSameAttributes } from "./both_trees.ts";
import { walkChanges } from "./walk_changes.ts";

/** A path was added, changed or deleted. */
export type ChangeKind = "A" | "C" | "D";

/** One change. */
export interface Change {
  readonly kind: ChangeKind;
  /** Absolute path in the container. */
  readonly path: ByteString;
}

interface Line {
  readonly path: ByteString;
  /** Undefined for what is there, but as before. */
  kind: ChangeKind | undefined;
}

/**
 * Lists the changes, directories before what is in them. A file that was copied up and is as before does not count, nor
 * does the time of a directory; a directory counts when something in it does.
 */
export function listChanges(trees: BothTrees): Change[] {
  const lines: Line[] = [];
  const directories = new Map<ByteString, Line>();
  for (const { path, node, below } of walkChanges(trees)) {
    const kind = kindOf(trees, node, below);
    const line: Line = { path, kind };
    lines.push(line);
    if (node?.kind === "directory") directories.set(path, line);
    if (kind !== undefined) markAbove(directories, path);
  }
  return lines.flatMap(({ kind, path }) => (kind === undefined ? [] : [{ kind, path: `/${path}` }]));
}

function kindOf(
  trees: BothTrees,
  node: LayerNode | undefined,
  below: LayerNode | undefined,
): ChangeKind | undefined {
  if (node === undefined) return "D";
  if (below === undefined) return "A";
  return isSameNode(trees, node, below) ? undefined : "C";
}

/** Up to the first directory that counts already: those above it do, too. */
function markAbove(directories: ReadonlyMap<ByteString, Line>, path: ByteString): void {
  for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
    const line = directories.get(path.slice(0, at));
    if (line === undefined || line.kind !== undefined) return;
    line.kind = "C";
  }
}

/** As docker looks at it: by what stat(2) tells. */
function isSameNode(trees: BothTrees, node: LayerNode, below: LayerNode): boolean {
  if (node.kind !== below.kind || !hasSameAttributes(trees, node, below)) return false;
  if (node.rdev.major !== below.rdev.major || node.rdev.minor !== below.rdev.minor) return false;
  return node.kind === "directory" || (node.size === below.size && isSameTime(node.mtime, below.mtime));
}

/** An archive may have kept whole seconds only. */
function isSameTime(one: Timestamp, other: Timestamp): boolean {
  if (one.seconds !== other.seconds) return false;
  return one.nanoseconds === other.nanoseconds || one.nanoseconds === 0 || other.nanoseconds === 0;
}
