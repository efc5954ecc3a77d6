/**
 * What of a tree peers are known not to keep: left out when trees are compared. Each item is one of the differences in
 * known_differences.ts, where a test shows that it is still there.
 */
import type { NodeSnapshot, TreeSnapshot } from "../helpers/tree_snapshot.ts";

export type Peer = "umoci" | "podman";

/**
 * The part of a tree that `peer` keeps; the tree may be that of another.
 * @param links false for images with hard links to files of lower layers [true]
 */
export function comparableWith(peer: Peer, tree: TreeSnapshot, links = true): TreeSnapshot {
  const nodes = Object.entries(tree).filter(([path]) => path !== ".");
  return Object.fromEntries(
    nodes.map(([path, node]) => [path, { ...node, ...keptBy[peer](node), ...(links ? {} : { links: [] }) }]),
  );
}

/** Attributes without a value; a tree that was not unpacked by Go keeps them. */
const withoutEmpty = ({ xattrs }: NodeSnapshot): readonly string[] =>
  xattrs.filter((text) => !text.endsWith("="));

const keptBy: Readonly<Record<Peer, (node: NodeSnapshot) => Partial<NodeSnapshot>>> = {
  umoci: (node) => ({
    xattrs: withoutEmpty(node),
    mtime: node.type === "directory" ? "" : node.mtime,
  }),
  podman: (node) => ({
    xattrs: withoutEmpty(node),
    mtime: node.mtime.startsWith("-") && node.type !== "symlink" ? "0" : node.mtime,
  }),
};

/** The first differences of two trees, as lines; none when they are equal. */
export function differencesOf(own: TreeSnapshot, other: TreeSnapshot): readonly string[] {
  return [...new Set([...Object.keys(own), ...Object.keys(other)])].sort().flatMap((path) => {
    const [one, two] = [JSON.stringify(own[path]), JSON.stringify(other[path])];
    return one === two ? [] : [`${JSON.stringify(path)}: ${one ?? "missing"} / ${two ?? "missing"}`];
  });
}
