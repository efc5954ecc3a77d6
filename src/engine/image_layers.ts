/** The layers of a local image with the steps of its history that made them. */
import type { Digest } from "../oci/digest.ts";
import type { HistoryEntry } from "../oci/image_config.ts";
import type { StoredImage } from "../store/find_image.ts";
import { chainIds, findLayer } from "../store/layers.ts";
import { readDocuments } from "./image_documents.ts";

/** One layer of an image. */
export interface ImageLayer {
  /** From 1, the lowest. */
  readonly number: number;
  readonly diffId: Digest;
  readonly chainId: Digest;
  /** Digest of the compressed layer, as the manifest has it. */
  readonly blob: Digest;
  /** Bytes of the unpacked layer. */
  readonly sizeBytes: number;
  /** The step that made it; undefined when the image's history does not fit its layers. */
  readonly step: HistoryEntry | undefined;
  /** Path below the data root; undefined for one below an opaque root, of which nothing shows. */
  readonly path: string | undefined;
}

/** The layers of an image, bottom first. @throws {ImageDamagedError} */
export function layersOf(root: string, image: StoredImage): ImageLayer[] {
  const { config, manifest } = readDocuments(root, image);
  const { diffIds, history } = config;
  const chain = chainIds(diffIds);
  const steps = history.filter(({ isEmptyLayer }) => !isEmptyLayer);
  const fits = steps.length === diffIds.length;
  const use = { whiteouts: image.overlayXattrs, form: "erofs" as const };
  const hidden = diffIds.length - image.layers.length;
  return diffIds.map((diffId, at) => {
    const chainId = chain[at] ?? diffId;
    return {
      number: at + 1,
      diffId,
      chainId,
      blob: manifest.layers[at]?.digest ?? diffId,
      sizeBytes: findLayer(root, { diffId, chainId }, use)?.record.sizeBytes ?? 0,
      step: fits ? steps[at] : undefined,
      path: image.layers[at - hidden],
    };
  });
}
