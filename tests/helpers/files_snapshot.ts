/** Takes what {@link LayerFiles} shows as a value that compares with that of a directory (tree_snapshot.ts). */

import type { LayerFiles, LayerNode } from "../../src/image/tree/layer_files.ts";
import { openLayerPath } from "../../src/image/tree/open_layer_files.ts";
import { makedev } from "../../src/linux/file.ts";
import type { NodeSnapshot, TreeSnapshot } from "./tree_snapshot.ts";

/** Everything below the root, "." for itself. */
export function snapshotFiles(files: LayerFiles): TreeSnapshot {
  const found = [...walkFiles(files)];
  const names = new Map<string, string[]>();
  for (const [path, { linkKey }] of found) {
    if (linkKey !== undefined) names.set(linkKey, [...(names.get(linkKey) ?? []), path]);
  }
  const result: Record<string, NodeSnapshot> = {};
  for (const [path, node] of found.sort(([one], [other]) => (one < other ? -1 : 1))) {
    const links = node.linkKey === undefined ? [] : (names.get(node.linkKey) ?? []);
    result[path] = {
      type: TYPES[node.kind],
      mode: node.kind === "symlink" ? "" : node.mode.toString(8),
      owner: `${node.uid}:${node.gid}`,
      mtime: String(BigInt(node.mtime.seconds) * 1_000_000_000n + BigInt(node.mtime.nanoseconds)),
      content: contentOf(files, node),
      xattrs: [...files.xattrs(node)].map(([name, value]) => `${name}=${Buffer.from(value).toString("hex")}`),
      links: links.filter((name) => name !== path).sort(),
    };
  }
  return result;
}

/** A layer of a store, whatever its form. @param path absolute */
export function snapshotLayer(path: string): TreeSnapshot {
  using files = openLayerPath(path);
  return snapshotFiles(files);
}

/** Paths and types only, as listTree() has them. @param path absolute */
export function listLayer(path: string): string[] {
  return Object.entries(snapshotLayer(path))
    .filter(([name]) => name !== ".")
    .map(([name, { type }]) => (type === "directory" ? `${name}/` : name));
}

/** All nodes with their paths, each directory before what is in it. */
export function* walkFiles(files: LayerFiles): Generator<[path: string, node: LayerNode]> {
  const pending: Array<[string, LayerNode]> = [[".", files.root]];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    yield at;
    const [path, node] = at;
    if (node.kind !== "directory") continue;
    for (const name of files.list(node)) {
      const child = files.lookup(node, name);
      if (child === undefined) throw new Error(`Cannot look up "${path}/${name}", which was listed`);
      pending.push([path === "." ? name : `${path}/${name}`, child]);
    }
  }
}

/** A file's whole content, read in pieces that fit no block. */
export function readContent(files: LayerFiles, node: LayerNode): Buffer {
  using content = files.open(node);
  const pieces: Uint8Array[] = [];
  for (let position = 0; ; ) {
    const piece = new Uint8Array(new ArrayBuffer(1000));
    const length = content.read(piece, position);
    if (length === 0) return Buffer.concat(pieces);
    pieces.push(piece.subarray(0, length));
    position += length;
  }
}

const TYPES = {
  file: "file",
  directory: "directory",
  symlink: "symlink",
  character: "char",
  block: "block",
  fifo: "fifo",
  socket: "unknown",
  whiteout: "whiteout",
} as const;

function contentOf(files: LayerFiles, node: LayerNode): string {
  if (node.kind === "file")
    return new Bun.CryptoHasher("sha256").update(readContent(files, node)).digest("hex");
  if (node.kind === "symlink") return files.readLink(node);
  const isDevice = node.kind === "character" || node.kind === "block";
  return isDevice ? String(makedev(node.rdev.major, node.rdev.minor)) : "";
}
