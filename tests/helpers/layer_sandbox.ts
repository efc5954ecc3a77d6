/** Unpacks layers from archives in memory, below a temporary directory that is gone afterwards. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { removeTree } from "../../src/fs/remove_tree.ts";
import type { LayerResult } from "../../src/image/unpack/applier.ts";
import { LayerUnpacker } from "../../src/image/unpack/layer_unpacker.ts";
import { LowerLayers } from "../../src/image/unpack/lower_layers.ts";
import type { UnpackOptions } from "../../src/image/unpack/options.ts";
import { AT_FDCWD } from "../../src/linux/abi/fcntl.ts";
import { buildTar, type TarEntry } from "./tar_builder.ts";

/** How root unpacks on an ordinary file system. */
export const rootOptions: UnpackOptions = {
  whiteouts: "trusted",
  owners: "exact",
  devices: "create",
  creator: { uid: 0, gid: 0 },
  umask: 0o022,
};

export interface UnpackedLayer {
  readonly path: string;
  readonly result: LayerResult;
}

/** A directory `path`, removed when disposed of. */
export class LayerSandbox implements Disposable {
  readonly path = mkdtempSync(`${tmpdir()}/bunker-layer-`);
  #count = 0;

  /** Unpacks one layer, of entries or of an archive's bytes, pushed in pieces of `pieceSize`. */
  unpack(
    layer: readonly TarEntry[] | Uint8Array,
    options: Partial<UnpackOptions> = {},
    pieceSize = 100_000,
  ): UnpackedLayer {
    this.#count += 1;
    const path = `${this.path}/layer-${this.#count}`;
    const tar = layer instanceof Uint8Array ? layer : buildTar(layer);
    using unpacker = new LayerUnpacker(path, { ...rootOptions, ...options });
    for (let at = 0; at < tar.length; at += pieceSize) unpacker.push(tar.subarray(at, at + pieceSize));
    return { path, result: unpacker.finish() };
  }

  /** Unpacks layers, bottom first, each completed from those below it. @returns their directories */
  unpackAll(layers: ReadonlyArray<readonly TarEntry[]>, options: Partial<UnpackOptions> = {}): string[] {
    const lower = new LowerLayers({ ...rootOptions, ...options });
    return layers.map((entries) => {
      const { path, result } = this.unpack(entries, options);
      lower.complete(path, result);
      lower.push(path, result.opaque);
      return path;
    });
  }

  [Symbol.dispose](): void {
    // node:fs takes seconds for the depth that hostile layers have.
    removeTree({ dirfd: AT_FDCWD, path: this.path });
  }
}

export const isRoot = process.geteuid?.() === 0;
