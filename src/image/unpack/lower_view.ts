/** What the layers below show, as overlayfs would merge them, by path. */
import type { ByteString } from "../../fs/byte_string.ts";
import type { LayerNode } from "../tree/layer_files.ts";
import { MergedFiles } from "../tree/merged_files.ts";
import { openLayerPath } from "../tree/open_layer_files.ts";
import { nameOf, parentOf } from "../tree/paths.ts";
import type { LayerSource } from "../tree/write_node.ts";

/** A stack of layers, and what shows at a path of it. */
export class LowerView implements Disposable {
  readonly #files: MergedFiles | undefined;
  readonly #directories = new Map<ByteString, LayerNode | undefined>();

  /** @param layers absolute paths, top first; may be none */
  constructor(layers: readonly string[]) {
    if (layers.length > 0) this.#files = new MergedFiles(layers.map(openLayerPath));
  }

  /** Finds what shows at `path`, whose parents are not symlinks; a last symlink is not followed. */
  find(path: ByteString): LayerSource | undefined {
    const files = this.#files;
    const parent = this.#directory(parentOf(path));
    const node = parent === undefined ? undefined : files?.lookup(parent, nameOf(path));
    return files === undefined || node === undefined ? undefined : { files, node };
  }

  [Symbol.dispose](): void {
    this.#files?.[Symbol.dispose]();
  }

  #directory(path: ByteString): LayerNode | undefined {
    if (path === "") return this.#files?.root;
    if (this.#directories.has(path)) return this.#directories.get(path);
    const node = this.find(path)?.node;
    const directory = node?.kind === "directory" ? node : undefined;
    this.#directories.set(path, directory);
    return directory;
  }
}
