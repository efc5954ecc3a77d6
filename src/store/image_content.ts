/** Whether the documents and compressed layers of an image are here: what saving and pushing it takes beyond running it. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { isLacking } from "../fs/absent.ts";
import { blobPath, type Digest } from "../oci/digest.ts";
import { type ImageIndex, type ImageManifest, parseDocument } from "../oci/manifest.ts";
import { manifestKind } from "../oci/media_type.ts";
import type { StoredImage } from "./find_image.ts";

/** Indices of one image that are looked at. */
const INDEX_COUNT_MAX = 100;

/** True when all is here that the image came with; sizes are looked at, content is for `system check`. */
export function isWhole(root: string, image: StoredImage): boolean {
  const isGone = (digest: Digest): boolean => !existsSync(`${root}/${blobPath(digest)}`);
  const manifest = findDocument(root, image.manifestDigest);
  if (manifest?.kind !== "manifest" || findMissingIndex(root, image, isGone) !== undefined) return false;
  return [manifest.config, ...manifest.layers].every(
    ({ digest, size }) => statSync(`${root}/${blobPath(digest)}`, { throwIfNoEntry: false })?.size === size,
  );
}

/**
 * Looks for the way from what the image's name meant, through indices, to its manifest.
 * @returns the index that is missing, or says nothing of the manifest; undefined when all is well, or there is no index
 */
export function findMissingIndex(
  root: string,
  { targetDigest, manifestDigest }: StoredImage,
  isGone: (digest: Digest) => boolean,
): Digest | undefined {
  if (targetDigest === manifestDigest) return undefined;
  const pending = [targetDigest];
  let missing: Digest | undefined;
  for (let count = 0; count < INDEX_COUNT_MAX; count += 1) {
    const digest = pending.pop();
    if (digest === undefined) break;
    const index = isGone(digest) ? undefined : findDocument(root, digest);
    if (index?.kind !== "index") {
      missing ??= digest;
      continue;
    }
    if (index.entries.some((entry) => entry.digest === manifestDigest)) return undefined;
    const nested = index.entries.filter(({ mediaType }) => manifestKind(mediaType) === "index");
    pending.push(...nested.map((entry) => entry.digest));
  }
  return missing ?? targetDigest;
}

/** A manifest or index of the store; undefined when it is missing or damaged. @throws node:fs errors: EMFILE, ENOMEM */
export function findDocument(root: string, digest: Digest): ImageManifest | ImageIndex | undefined {
  try {
    return parseDocument(readFileSync(`${root}/${blobPath(digest)}`));
  } catch (error) {
    if (isLacking(error)) throw error;
    // What is damaged is as good as missing here; `system check` tells the one from the other.
    return undefined;
  }
}
