/** What the images refer to: the blobs below their manifests, and their layers. Everything else is garbage. */
import { readFileSync } from "node:fs";
import { blobPath, type Digest } from "../oci/digest.ts";
import { parseManifest } from "../oci/manifest.ts";
import type { StoredImage } from "./find_image.ts";

/** Documents below one image that are looked at: an index of indices ends somewhere. */
const DOCUMENT_COUNT_MAX = 5000;

/** Names of what may not be removed. */
export interface Marks {
  /** Relative to the root, as records list them: `l/NAME`. */
  readonly layers: ReadonlySet<string>;
  readonly blobs: ReadonlySet<Digest>;
}

/** Follows all images from their records down. */
export function markImages(root: string, images: readonly StoredImage[]): Marks {
  const blobs = new Set<Digest>();
  for (const { targetDigest, manifestDigest, imageId } of images) {
    blobs.add(imageId);
    markDocuments(root, [targetDigest, manifestDigest], blobs);
  }
  return { layers: new Set(images.flatMap(({ layers }) => layers)), blobs };
}

function markDocuments(root: string, tops: readonly Digest[], blobs: Set<Digest>): void {
  const pending = [...tops];
  for (let count = 0; count < DOCUMENT_COUNT_MAX; count += 1) {
    const digest = pending.pop();
    if (digest === undefined) return;
    if (blobs.has(digest)) continue;
    blobs.add(digest);
    const document = readDocument(root, digest);
    if (document?.kind === "index") pending.push(...document.entries.map((entry) => entry.digest));
    else for (const { digest: part } of partsOf(document)) blobs.add(part);
  }
}

const partsOf = (document: ReturnType<typeof readDocument>) =>
  document?.kind === "manifest" ? [document.config, ...document.layers] : [];

/** A manifest or index of the store; undefined when it is missing or damaged: nothing below it is known then. */
function readDocument(root: string, digest: Digest) {
  try {
    return parseManifest(readFileSync(`${root}/${blobPath(digest)}`));
  } catch {
    // An index is not kept by every pull, and a damaged manifest is what `system check` reports.
    return undefined;
  }
}
