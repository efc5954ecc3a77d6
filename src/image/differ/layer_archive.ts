/**
 * What a container has changed as the archive of a layer (image-spec, layer.md): every entry behind its parents, in the
 * order of bytes, with whiteouts for what is gone. The same changes give the same bytes.
 */

import { BunkerError } from "../../errors.ts";
import { type ByteString, quoteBytes } from "../../fs/byte_string.ts";
import { OPAQUE_FILE, WHITEOUT_FILE } from "../../oci/whiteout.ts";
import { END, header } from "../tar/writer.ts";
import type { LayerNode } from "../tree/layer_files.ts";
import { gathered, type NodeOptions, NodeWriter } from "../tree/node_writer.ts";
import { type BothTrees, hasSameAttributes, isSameDirectory, type MetNode } from "./both_trees.ts";
import { walkChanges } from "./walk_changes.ts";

/** A container has a file that no layer can hold. */
export class NotALayerError extends BunkerError {
  readonly code = "LAYER_INVALID";

  constructor(path: ByteString) {
    super(
      `Cannot put ${quoteBytes(`/${path}`)} into a layer: names that begin with ".wh." say there what is gone`,
      {
        hint: "Rename or remove it in the container",
      },
    );
  }
}

/** The archive of one layer. */
export class LayerArchive {
  readonly #trees: BothTrees;
  readonly #writer: NodeWriter;
  /** Directories on the way that are as the image has them: they are written when something in them is. */
  #parents: { readonly path: ByteString; readonly node: LayerNode }[] = [];
  #isEmpty = true;

  constructor(trees: BothTrees, options: NodeOptions = {}) {
    this.#trees = trees;
    this.#writer = new NodeWriter(trees.upper, options);
  }

  /** True when the container has changed nothing; known after the last chunk. */
  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  /** The bytes, in chunks that are valid until the next is asked for. @throws {NotALayerError} {SyscallError} */
  chunks(): Generator<Uint8Array> {
    return gathered(this.#entries());
  }

  *#entries(): Generator<Uint8Array> {
    const { upper, lower } = this.#trees;
    if (!hasSameAttributes(this.#trees, upper.root, lower.root)) yield* this.#write("./", upper.root);
    for (const met of walkChanges(this.#trees)) yield* this.#met(met);
    yield END;
  }

  *#met({ path, node, below, isOpaque, isHidden }: MetNode): Generator<Uint8Array> {
    this.#parents = this.#parents.filter((parent) => path.startsWith(`${parent.path}/`));
    if (nameOf(path).startsWith(WHITEOUT_FILE)) throw new NotALayerError(path);
    if (node === undefined) {
      // An opaque mark has said so already; beside it, a whiteout would show a ghost in some overlays.
      if (!isHidden) yield* this.#mark(`${parentOf(path)}${WHITEOUT_FILE}${nameOf(path)}`);
      return;
    }
    const isSame = below !== undefined && !isOpaque && !isHidden && isSameDirectory(this.#trees, node, below);
    if (isSame) {
      this.#parents.push({ path, node });
      return;
    }
    yield* this.#write(path, node);
    if (isOpaque && !isHidden) yield* this.#mark(`${path}/${OPAQUE_FILE}`);
  }

  *#write(path: ByteString, node: LayerNode): Generator<Uint8Array> {
    yield* this.#writeParents();
    for (const chunk of this.#writer.write(path, node)) {
      this.#isEmpty = false;
      yield chunk;
    }
  }

  *#mark(path: ByteString): Generator<Uint8Array> {
    yield* this.#writeParents();
    this.#isEmpty = false;
    const owner = { uid: 0, gid: 0, major: 0, minor: 0, mode: 0o600 };
    const mtime = { seconds: 0, nanoseconds: 0 };
    yield header({ ...owner, path, type: "file", linkPath: "", size: 0, mtime, xattrs: new Map() });
  }

  *#writeParents(): Generator<Uint8Array> {
    const parents = this.#parents;
    this.#parents = [];
    for (const { path, node } of parents) yield* this.#writer.write(path, node);
  }
}

const nameOf = (path: ByteString): ByteString => path.slice(path.lastIndexOf("/") + 1);

/** With the "/" at its end; "" for what lies in the root. */
const parentOf = (path: ByteString): ByteString => path.slice(0, path.lastIndexOf("/") + 1);
