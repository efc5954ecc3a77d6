/**
 * The layers below the one that is being completed, growing from the bottom of an image to its top.
 */
import { copyTree } from "../../fs/copy_tree.ts";
import type { LayerResult } from "./applier.ts";
import { LayerCompletion } from "./layer_completion.ts";
import { LowerView } from "./lower_view.ts";
import type { UnpackOptions } from "./options.ts";

/** Completes the layers of one image, from the bottom up. */
export class LowerLayers {
  readonly #options: UnpackOptions;
  readonly #view: LowerView;

  constructor(options: UnpackOptions) {
    this.#options = options;
    this.#view = new LowerView(options.whiteouts);
  }

  /** Puts a completed layer on top of those that the next one is completed from. */
  push(directory: string, opaque: boolean): void {
    this.#view.push(directory, opaque);
  }

  /** Copies a layer as it was unpacked, for another place in the image. @returns `target` */
  copy(directory: string, target: string): string {
    copyTree(directory, target, { ignoreOwners: this.#options.owners === "single", keepOverlayXattrs: true });
    return target;
  }

  /**
   * Completes the layer in `directory`.
   * @throws {LayerError} for a hard link to nothing, {UnpackError} when the disk is full
   */
  complete(directory: string, { implied, links }: LayerResult): void {
    const layer = new LayerCompletion(directory, this.#view, this.#options);
    for (const path of implied) layer.completeDirectory(path);
    for (const link of links) layer.completeLink(link);
  }
}
