/** `image which`: which layer brought a file, and what the layers below it had in its place. */
import type { LayerNode } from "../image/tree/layer_files.ts";
import { type TraceState, type TraceStep, tracePath } from "../image/tree/trace_path.ts";
import type { StoredImage } from "../store/find_image.ts";
import { type ImageLayer, layersOf } from "./image_layers.ts";
import { mergeLayers } from "./merged_layers.ts";
import { NoSuchPathError, openLayers, resolve, type ViewQuestion } from "./view_layers.ts";

/** What one layer says of a path. */
export interface FileTrace {
  /** Where the path leads in the image, without a "/" in front; bytes as latin1 text. */
  readonly path: string;
  readonly state: TraceState;
  /** Of what `removes`: the path that this layer removes, which may lie above. */
  readonly removedPath?: string;
  /** What the layer has there. */
  readonly type?: LayerNode["kind"];
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly size?: number;
  /** From 1, the lowest; of `layers`. */
  readonly layer: number;
  readonly layers: number;
  readonly diffId: string;
  /** Digest of the compressed layer. */
  readonly blob: string;
  /** The command that made the layer, as the builder wrote it down; empty when it did not. */
  readonly createdBy: string;
  /** RFC 3339; undefined when the image does not say. */
  readonly created?: string;
}

/** Answers the question. */
export function traceFile(root: string, image: StoredImage, question: ViewQuestion): FileTrace[] {
  const layers = layersOf(root, image);
  const shown = layers.filter(({ path }) => path !== undefined).toReversed();
  const opened = openLayers(root, image);
  using merged = mergeLayers(opened);
  const { path } = resolve(merged, question);
  const steps = tracePath(opened, path);
  if (steps.length === 0) throw new NoSuchPathError(question.path);
  return steps.flatMap((step) => {
    const layer = shown[step.layer];
    return layer === undefined ? [] : [describeStep(step, { path, layer, layers: layers.length })];
  });
}

function describeStep(
  { state, node, removedPath }: TraceStep,
  { path, layer, layers }: { path: string; layer: ImageLayer; layers: number },
): FileTrace {
  const { step } = layer;
  return {
    path,
    state,
    ...(removedPath === undefined ? {} : { removedPath }),
    ...(node === undefined
      ? {}
      : { type: node.kind, mode: node.mode, uid: node.uid, gid: node.gid, size: node.size }),
    layer: layer.number,
    layers,
    diffId: layer.diffId,
    blob: layer.blob,
    createdBy: step?.createdBy ?? "",
    ...(step?.created === undefined ? {} : { created: step.created }),
  };
}
