/**
 * What a stack of layers shows, as overlayfs would merge them, without mounting anything:
 *
 *     top      etc/ (opaque)  etc/a       whiteout of b                   shows: etc/ etc/a
 *     middle                  etc/x                       dir/ (mode 1)          dir/ (mode 1) dir/z
 *     bottom   etc/           etc/y       b               dir/ (mode 2)  dir/z
 *
 * A directory is the sum of those that layers have at its place, down to one that is opaque, to a whiteout, or to a file
 * of another kind. Its attributes are those of the topmost, everything else is that of the topmost layer alone.
 */
import { assert } from "../../assert.ts";
import type { ByteString } from "../../fs/byte_string.ts";
import type { Timestamp } from "../tar/entry.ts";
import type { FileContent, LayerFiles, LayerNode, LayerNodeKind } from "./layer_files.ts";

/** Where a name of a stack comes from. */
export interface Origin {
  readonly node: LayerNode;
  /** Place in the stack of the layer that its content and attributes come from; 0 is the top. */
  readonly layer: number;
  /** Places of all layers that a directory's names come from, from the top; otherwise `layer` alone. */
  readonly layers: readonly number[];
}

/** A stack of layers, read as one tree. */
export class MergedFiles implements LayerFiles {
  readonly root: LayerNode;
  readonly #layers: readonly LayerFiles[];
  /** Names of directories that were listed, as long as somebody keeps the directory. */
  readonly #listed = new WeakMap<MergedNode, ReadonlyMap<ByteString, MergedNode>>();

  /** @param layers at least one, top first; owned from then on */
  constructor(layers: readonly LayerFiles[]) {
    assert(layers.length > 0, "a stack of layers");
    this.#layers = layers;
    const parts: Part[] = [];
    for (const [layer, { root }] of layers.entries()) {
      parts.push({ layer, node: root });
      if (this.#isOpaquePart({ layer, node: root })) break;
    }
    this.root = new MergedNode(parts);
  }

  lookup(directory: LayerNode, name: ByteString): LayerNode | undefined {
    const node = mergedNode(directory);
    const listed = this.#listed.get(node);
    if (listed !== undefined) return listed.get(name);
    const parts: Part[] = [];
    for (const { layer, node: above } of node.parts) {
      const found = this.#layer(layer).lookup(above, name);
      if (found !== undefined && this.#isDecided(parts, { layer, node: found })) break;
    }
    return parts.length === 0 ? undefined : new MergedNode(parts);
  }

  list(directory: LayerNode): readonly ByteString[] {
    const node = mergedNode(directory);
    const known = this.#listed.get(node);
    const children = known ?? this.#children(node);
    if (known === undefined) this.#listed.set(node, children);
    return [...children.keys()];
  }

  readLink(node: LayerNode): ByteString {
    return this.#top(node, (layer, own) => layer.readLink(own));
  }

  xattrs(node: LayerNode): ReadonlyMap<ByteString, Uint8Array> {
    return this.#top(node, (layer, own) => layer.xattrs(own));
  }

  open(file: LayerNode): FileContent {
    return this.#top(file, (layer, own) => layer.open(own));
  }

  /** Nothing lies below a stack. */
  isOpaque(_directory: LayerNode): boolean {
    return false;
  }

  /** Finds the layers that a name comes from. @param path relative, ""  for the root; symlinks are not followed */
  originOf(path: ByteString): Origin | undefined {
    let at: LayerNode | undefined = this.root;
    for (const name of path === "" ? [] : path.split("/")) {
      at = at?.kind === "directory" ? this.lookup(at, name) : undefined;
    }
    return at === undefined ? undefined : originOfNode(at);
  }

  /** Every name is asked for only in layers that have it: most names are in one. */
  #children(directory: MergedNode): ReadonlyMap<ByteString, MergedNode> {
    const open = new Map<ByteString, Part[]>();
    const decided = new Set<ByteString>();
    for (const { layer, node } of directory.parts) {
      const files = this.#layer(layer);
      for (const name of files.list(node)) {
        if (decided.has(name)) continue;
        const found = files.lookup(node, name);
        if (found === undefined) continue;
        const parts = open.get(name) ?? [];
        open.set(name, parts);
        if (this.#isDecided(parts, { layer, node: found })) decided.add(name);
      }
    }
    const shown = [...open].filter(([, parts]) => parts.length > 0);
    return new Map(shown.sort(byName).map(([name, parts]) => [name, new MergedNode(parts)]));
  }

  /** Adds what a layer has at a name to what those above it have. @returns true when no lower layer counts */
  #isDecided(parts: Part[], found: Part): boolean {
    const { kind } = found.node;
    if (kind === "whiteout") return true;
    if (kind !== "directory") {
      if (parts.length === 0) parts.push(found);
      return true;
    }
    parts.push(found);
    return this.#isOpaquePart(found);
  }

  #isOpaquePart({ layer, node }: Part): boolean {
    return this.#layer(layer).isOpaque(node);
  }

  #layer(place: number): LayerFiles {
    const layer = this.#layers[place];
    assert(layer !== undefined, "a layer of the stack");
    return layer;
  }

  #top<T>(node: LayerNode, use: (layer: LayerFiles, node: LayerNode) => T): T {
    const { layer, node: own } = mergedNode(node).top;
    return use(this.#layer(layer), own);
  }

  [Symbol.dispose](): void {
    using stack = new DisposableStack();
    for (const layer of this.#layers) stack.use(layer);
  }
}

/** Where a node of a {@link MergedFiles} comes from. */
export function originOfNode(node: LayerNode): Origin {
  const { top, parts } = mergedNode(node);
  return { node, layer: top.layer, layers: parts.map(({ layer }) => layer) };
}

/** What one layer has at a place. */
interface Part {
  readonly layer: number;
  readonly node: LayerNode;
}

/** One name of the stack: the attributes of the topmost part, and for a directory all parts. */
class MergedNode implements LayerNode {
  readonly parts: readonly Part[];

  constructor(parts: readonly Part[]) {
    this.parts = parts;
  }

  get top(): Part {
    const [top] = this.parts;
    assert(top !== undefined, "a node of some layer");
    return top;
  }

  get kind(): LayerNodeKind {
    return this.top.node.kind;
  }

  get mode(): number {
    return this.top.node.mode;
  }

  get uid(): number {
    return this.top.node.uid;
  }

  get gid(): number {
    return this.top.node.gid;
  }

  get size(): number {
    return this.top.node.size;
  }

  get mtime(): Timestamp {
    return this.top.node.mtime;
  }

  get rdev(): LayerNode["rdev"] {
    return this.top.node.rdev;
  }

  /** Hard links do not cross layers, whatever inode numbers those have. */
  get linkKey(): string | undefined {
    const { layer, node } = this.top;
    return node.linkKey === undefined ? undefined : `${layer}:${node.linkKey}`;
  }
}

function mergedNode(node: LayerNode): MergedNode {
  assert(node instanceof MergedNode, "a node of a stack");
  return node;
}

const byName = ([one]: readonly [ByteString, unknown], [other]: readonly [ByteString, unknown]): number =>
  one < other ? -1 : 1;
