/**
 * What a layer may make its unpacker remember. Targets of links, attributes of directories and the directories themselves
 * stay in memory until the layer's end, and paths of what the layers below have to complete; a megabyte of compressed
 * archive can ask for gigabytes of them.
 */
import type { ByteString } from "../../fs/byte_string.ts";
import type { TarEntry } from "../tar/entry.ts";
import { LayerError } from "./layer_error.ts";

/** Limits for one layer. */
export interface LayerLimits {
  /** Directories, those included that only a longer path implies: 2000 for one entry. */
  readonly directories: number;
  /** Bytes of link targets, attributes of directories, paths for those who complete the layer, and of what holds them. */
  readonly keptBytes: number;
}

/** Many times what the largest known images have in a layer. */
export const layerLimits: LayerLimits = { directories: 1_000_000, keptBytes: 128 << 20 };

/** Of an object and its place in a map. */
const OVERHEAD_BYTES = 64;

/** Counts for one layer. */
export class LayerBudget {
  readonly #limits: LayerLimits;
  #directories = 0;
  #keptBytes = 0;

  constructor(limits: LayerLimits) {
    this.#limits = limits;
  }

  /** @param entry path of the entry that needs it, for the message. @throws {LayerError} when there are too many */
  addDirectory(entry: ByteString): void {
    this.#directories += 1;
    if (this.#directories > this.#limits.directories)
      throw new LayerError(entry, `the layer has more than ${this.#limits.directories} directories`);
  }

  /** A link whose target is remembered. @throws {LayerError} when it is too much */
  addLink({ path, linkPath }: TarEntry): void {
    this.#keep(path, path.length + linkPath.length);
  }

  /**
   * A path that is handed on: a short entry may stand for a long one, by a symlink or by all that it implies.
   * @throws {LayerError} when it is too much
   */
  addPath(entry: ByteString, bytes: number): void {
    this.#keep(entry, bytes);
  }

  /** A directory with its attributes. @throws {LayerError} when it is too much */
  addAttributes({ path, xattrs }: TarEntry): void {
    for (const [name, value] of xattrs) this.#keep(path, name.length + value.length);
  }

  #keep(entry: ByteString, bytes: number): void {
    this.#keptBytes += bytes + OVERHEAD_BYTES;
    if (this.#keptBytes > this.#limits.keptBytes) {
      throw new LayerError(
        entry,
        `links, attributes and implied directories of the layer take more than ${this.#limits.keptBytes} bytes of memory`,
      );
    }
  }
}
