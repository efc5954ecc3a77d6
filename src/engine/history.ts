/** `history`: the steps that made an image, newest first, each with what its layer takes. */
import type { HistoryEntry } from "../oci/image_config.ts";
import { chainIds, findLayer } from "../store/layers.ts";
import type { EngineContext } from "./context.ts";
import { dataRoot } from "./directories.ts";
import { readDocuments } from "./image_documents.ts";
import { getLocalImage } from "./local_image.ts";

/** One step. */
export interface HistoryStep {
  /** The image itself for the newest step; of older ones no image is known. */
  readonly imageId: string | undefined;
  readonly created: Date | undefined;
  /** The command, as the builder wrote it down; empty when it did not. */
  readonly createdBy: string;
  readonly comment: string;
  /** Of the layer; undefined for a step that made none. */
  readonly diffId: string | undefined;
  /** Bytes of the unpacked layer; 0 without one. */
  readonly sizeBytes: number;
}

/**
 * Steps of an image, newest first. Where the image's own history does not fit its layers, each layer is a step.
 * @throws {NoSuchImageError} {ImageDamagedError}
 */
export async function imageHistory(word: string, context: EngineContext): Promise<HistoryStep[]> {
  const root = dataRoot(context);
  const image = getLocalImage(root, word);
  const { config } = readDocuments(root, image);
  const chain = chainIds(config.diffIds);
  const layers = config.diffIds.map((diffId, at) => {
    const use = { whiteouts: image.overlayXattrs, form: "erofs" as const };
    const layer = findLayer(root, { diffId, chainId: chain[at] ?? diffId }, use);
    return { diffId, sizeBytes: layer?.record.sizeBytes ?? 0 };
  });
  const fits = config.history.filter(({ isEmptyLayer }) => !isEmptyLayer).length === layers.length;
  const entries = fits ? config.history : layers.map((): HistoryEntry => ({ isEmptyLayer: false }));
  let used = 0;
  const steps = entries.map((entry, at): HistoryStep => {
    const layer = entry.isEmptyLayer ? undefined : layers[used];
    used += layer === undefined ? 0 : 1;
    return {
      imageId: at === entries.length - 1 ? image.imageId : undefined,
      created: dateOf(entry.created),
      createdBy: entry.createdBy ?? "",
      comment: entry.comment ?? "",
      diffId: layer?.diffId,
      sizeBytes: layer?.sizeBytes ?? 0,
    };
  });
  return steps.toReversed();
}

function dateOf(text: string | undefined): Date | undefined {
  const date = new Date(text ?? "");
  return Number.isNaN(date.getTime()) ? undefined : date;
}
