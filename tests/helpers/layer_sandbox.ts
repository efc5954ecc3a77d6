/**
 * Unpacks layers from archives in memory, below a temporary directory that is gone afterwards. Images are mounted, so that
 * a layer's path is that of a directory whatever the form; nothing of it is on the mount table.
 */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { removeTree } from "../../src/fs/remove_tree.ts";
import type { LayerResult } from "../../src/image/unpack/applier.ts";
import { LayerUnpacker } from "../../src/image/unpack/layer_unpacker.ts";
import { LowerLayers } from "../../src/image/unpack/lower_layers.ts";
import type { UnpackOptions } from "../../src/image/unpack/options.ts";
import { AT_FDCWD } from "../../src/linux/abi/fcntl.ts";
import { mountImage } from "./mount_image.ts";
import { buildTar, type TarEntry } from "./tar_builder.ts";

/** How a layer is kept. */
export type LayerForm = UnpackOptions["form"];

/** How root unpacks on an ordinary file system. */
export const rootOptions: UnpackOptions = {
  form: "directory",
  whiteouts: "trusted",
  owners: "exact",
  devices: "create",
  creator: { uid: 0, gid: 0 },
  umask: 0o022,
};

export const isRoot = process.geteuid?.() === 0;

/** Both forms of layers, with the reason why one cannot be had here. */
export const layerForms: ReadonlyArray<readonly [form: LayerForm, missing: string | undefined]> = [
  ["directory", isRoot ? undefined : "needs root"],
  ["erofs", whyNoImages()],
];

export interface UnpackedLayer {
  readonly path: string;
  readonly result: LayerResult;
}

/** A directory `path`, removed when disposed of. */
export class LayerSandbox implements Disposable {
  readonly path = mkdtempSync(`${tmpdir()}/bunker-layer-`);
  readonly #form: LayerForm;
  readonly #mounts = new DisposableStack();
  #count = 0;

  constructor(form: LayerForm = "directory") {
    this.#form = form;
  }

  /** Unpacks one layer, of entries or of an archive's bytes, pushed in pieces of `pieceSize`. */
  unpack(
    layer: readonly TarEntry[] | Uint8Array,
    options: Partial<UnpackOptions> = {},
    pieceSize = 100_000,
  ): UnpackedLayer {
    const { path, result } = this.write(layer, options, pieceSize);
    return { path: this.show(path), result };
  }

  /** The same, but the path is that of the image itself. */
  write(
    layer: readonly TarEntry[] | Uint8Array,
    options: Partial<UnpackOptions> = {},
    pieceSize = 100_000,
  ): UnpackedLayer {
    this.#count += 1;
    const form = options.form ?? this.#form;
    const path = `${this.path}/layer-${this.#count}${form === "erofs" ? ".erofs" : ""}`;
    const tar = layer instanceof Uint8Array ? layer : buildTar(layer);
    using unpacker = new LayerUnpacker(path, { ...rootOptions, ...options, form });
    for (let at = 0; at < tar.length; at += pieceSize) unpacker.push(tar.subarray(at, at + pieceSize));
    return { path, result: unpacker.finish() };
  }

  /** Unpacks layers, bottom first, each completed from those below it. @returns their directories */
  unpackAll(layers: ReadonlyArray<readonly TarEntry[]>, options: Partial<UnpackOptions> = {}): string[] {
    return this.writeAll(layers, () => options).map((path) => this.show(path));
  }

  /** The same, but the paths of images are their own. @param optionsOf may depend on the layer's place */
  writeAll(
    layers: ReadonlyArray<readonly TarEntry[]>,
    optionsOf: (index: number) => Partial<UnpackOptions> = () => ({}),
  ): string[] {
    const lower = new LowerLayers({ ...rootOptions, form: this.#form, ...optionsOf(0) });
    return layers.map((entries, index) => {
      const { path, result } = this.write(entries, optionsOf(index));
      lower.complete(path, result);
      lower.push(path, result.opaque);
      return path;
    });
  }

  /** A directory that shows a layer. An image is checked by the tools of EROFS where they are. */
  show(path: string): string {
    if (!path.endsWith(".erofs")) return path;
    checkImage(path);
    // By the process's number, for programs that a test starts; the dot, since the descriptor itself is a symbolic link.
    return `/proc/${process.pid}/fd/${this.#mounts.use(mountImage(path)).number}/.`;
  }

  [Symbol.dispose](): void {
    this.#mounts[Symbol.dispose]();
    // node:fs takes seconds for the depth that hostile layers have.
    removeTree({ dirfd: AT_FDCWD, path: this.path });
  }
}

/** @throws {Error} when fsck.erofs, which may be missing, finds anything wrong */
export function checkImage(path: string): void {
  const fsck = Bun.which("fsck.erofs", { PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` });
  if (fsck === null) return;
  const { exitCode, stderr } = Bun.spawnSync([fsck, path], { stdout: "ignore", stderr: "pipe" });
  if (exitCode !== 0) throw new Error(`fsck.erofs: ${stderr}`);
}

function whyNoImages(): string | undefined {
  if (!isRoot) return "needs root";
  const directory = mkdtempSync(`${tmpdir()}/bunker-layer-`);
  try {
    using unpacker = new LayerUnpacker(`${directory}/image`, { ...rootOptions, form: "erofs" });
    unpacker.push(buildTar([]));
    unpacker.finish();
    using _ = mountImage(`${directory}/image`);
    return undefined;
  } catch {
    return "needs a kernel that mounts EROFS from files";
  } finally {
    removeTree({ dirfd: AT_FDCWD, path: directory });
  }
}
