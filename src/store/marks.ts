/** What the images refer to: the blobs below their manifests, and their layers. Everything else is garbage. */
import type { ManifestDescriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { manifestKind } from "../oci/media_type.ts";
import type { StoredImage } from "./find_image.ts";
import { findDocument } from "./image_content.ts";

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
    const document = findDocument(root, digest);
    if (document?.kind === "index") pending.push(...document.entries.filter(comesAlong).map(digestOf));
    else for (const { digest: part } of partsOf(document)) blobs.add(part);
  }
}

/** An index keeps its indices and attestations; the images of other platforms have records of their own, or go. */
const comesAlong = ({ mediaType, isAttestation }: ManifestDescriptor): boolean =>
  isAttestation || manifestKind(mediaType) === "index";

const digestOf = ({ digest }: ManifestDescriptor): Digest => digest;

/** Nothing is known below a document that is missing or damaged. */
const partsOf = (document: ReturnType<typeof findDocument>) =>
  document?.kind === "manifest" ? [document.config, ...document.layers] : [];
