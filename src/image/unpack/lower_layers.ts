/**
 * The layers below the one that is being completed, growing from the bottom of an image to its top.
 */
import { copyFileSync } from "node:fs";
import { copyTree } from "../../fs/copy_tree.ts";
import { isImagePath } from "../../store/find_image.ts";
import { ImageEditor } from "../erofs/image_editor.ts";
import type { LayerResult } from "./applier.ts";
import { DirectoryEditor } from "./directory_editor.ts";
import { LayerCompletion } from "./layer_completion.ts";
import { LowerView } from "./lower_view.ts";
import type { UnpackOptions } from "./options.ts";

/** Completes the layers of one image, from the bottom up. */
export class LowerLayers {
  readonly #options: UnpackOptions;
  /** Absolute paths, top first. */
  #layers: readonly string[] = [];

  constructor(options: UnpackOptions) {
    this.#options = options;
  }

  /** Puts a completed layer on top of those that the next one is completed from. @param path absolute */
  push(path: string, opaque: boolean): void {
    this.#layers = opaque ? [path] : [path, ...this.#layers];
  }

  /** Copies a layer as it was unpacked, for another place in the image. @returns `target` */
  copy(path: string, target: string): string {
    if (isImagePath(path)) copyFileSync(path, target);
    else copyTree(path, target, { ignoreOwners: this.#options.owners === "single", keepOverlayXattrs: true });
    return target;
  }

  /**
   * Completes the layer at `path`.
   * @throws {LayerError} for a hard link to nothing, {UnpackError} when the disk is full
   */
  complete(path: string, { implied, links }: LayerResult): void {
    if (implied.length === 0 && links.length === 0) return;
    using view = new LowerView(this.#layers);
    using editor = isImagePath(path) ? new ImageEditor(path) : new DirectoryEditor(path, this.#options);
    const layer = new LayerCompletion(editor, view);
    layer.completeDirectories(implied);
    layer.completeLinks(links);
    layer.removeMarks(implied);
    editor.finish();
  }
}
