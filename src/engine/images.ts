/** `images`: what is in the store. */

import { formatPlatform } from "../oci/platform.ts";
import { DEFAULT_TAG, familiarName, parseReference } from "../oci/reference.ts";
import type { StoredImage } from "../store/find_image.ts";
import { listImages as listStored } from "../store/images.ts";
import type { EngineContext } from "./context.ts";
import { dataRoot } from "./directories.ts";
import type { ImageSummary } from "./summary.ts";

/** Lists the local images, newest first. */
export async function listImages(context: EngineContext): Promise<ImageSummary[]> {
  const images = listStored(dataRoot(context)).map(summariseImage);
  return images.sort((a, b) => (b.created?.getTime() ?? 0) - (a.created?.getTime() ?? 0));
}

/** What is told about an image. */
export function summariseImage(image: StoredImage): ImageSummary {
  const reference = parseReference(image.reference);
  const { os, architecture, variant } = image;
  return {
    id: image.imageId,
    repository: familiarName(reference),
    tag: reference.digest === undefined ? (reference.tag ?? DEFAULT_TAG) : undefined,
    dangling: image.isUntagged === true,
    digest: image.targetDigest,
    created: parseDate(image.created),
    sizeBytes: image.sizeBytes,
    platform: formatPlatform({ os, architecture, ...(variant === undefined ? {} : { variant }) }),
    labels: image.config.labels,
  };
}

function parseDate(text: string | undefined): Date | undefined {
  const date = new Date(text ?? "");
  return Number.isNaN(date.getTime()) ? undefined : date;
}
