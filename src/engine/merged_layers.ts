/** What an image shows: its layers merged. */
import { EmptyFiles } from "../image/tree/empty_files.ts";
import type { LayerFiles } from "../image/tree/layer_files.ts";
import { MergedFiles } from "../image/tree/merged_files.ts";
import { openLayerFiles } from "../image/tree/open_layer_files.ts";

/**
 * Opens layers as one tree; the caller owns the result.
 * @param root the data root
 * @param layers as records list them, bottom first
 * @param above what lies on top of them, owned from then on [nothing]
 */
export function openMergedLayers(root: string, layers: readonly string[], above?: LayerFiles): LayerFiles {
  using stack = new DisposableStack();
  const own = above === undefined ? [] : [stack.use(above)];
  const lower = layers.toReversed().map((layer) => stack.use(openLayerFiles(root, layer)));
  const merged = mergeLayers([...own, ...lower]);
  // The merged tree owns them.
  stack.move();
  return merged;
}

/** Layers as one tree, which owns them. @param layers top first; none for an image that has nothing */
export const mergeLayers = (layers: readonly LayerFiles[]): MergedFiles =>
  new MergedFiles(layers.length === 0 ? [new EmptyFiles()] : layers);
