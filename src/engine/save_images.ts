/** `save`: local images as the bytes of one archive. */
import { existsSync } from "node:fs";
import { OtherPlatformError } from "../image/archive/platform_error.ts";
import { type ArchiveBlob, type ArchiveImage, writeArchive } from "../image/archive/write_archive.ts";
import { blobPath, type Digest } from "../oci/digest.ts";
import { type Platform, parsePlatform } from "../oci/platform.ts";
import { DEFAULT_TAG, familiarReference, formatReference, type Reference } from "../oci/reference.ts";
import { isOfPlatform, type StoredImage } from "../store/find_image.ts";
import type { ImageRecord } from "../store/images.ts";
import type { EngineContext } from "./context.ts";
import { dataRoot } from "./directories.ts";
import { ImageDamagedError, readDocuments } from "./image_documents.ts";
import { findLocalImage, type LocalImage } from "./local_image.ts";

/** What of images is to be saved. */
export interface SaveRequest {
  /** `os/arch[/variant]`: only images for it [every platform that a name is here for]. */
  readonly platform?: string | undefined;
}

/**
 * The archive of images, in chunks that are valid until the next is asked for. All names are looked up before the first.
 * @throws {NoSuchImageError} {OtherPlatformError} {ImageDamagedError} {BlobDamagedError}
 */
export function saveImages(
  words: readonly string[],
  context: EngineContext,
  options: SaveRequest = {},
): Generator<Uint8Array> {
  const root = dataRoot(context);
  const platform = options.platform === undefined ? undefined : parsePlatform(options.platform);
  const images = new Map<Digest, ArchiveImage>();
  for (const word of words) {
    const { records, reference } = findLocalImage(root, word);
    for (const { image } of chosen(word, { records, reference }, platform)) {
      const known = images.get(image.manifestDigest) ?? describe(root, image);
      const names = [...known.names, ...namesOf(reference)];
      const distinct = [...new Map(names.map((name) => [name.full, name])).values()];
      images.set(image.manifestDigest, { ...known, names: distinct });
    }
  }
  return writeArchive(root, [...images.values()]);
}

/** Of an id one record says all. */
function chosen(
  word: string,
  { records, reference }: LocalImage,
  platform: Platform | undefined,
): readonly ImageRecord[] {
  const all = reference === undefined ? records.slice(0, 1) : records;
  if (platform === undefined) return all;
  const found = all.filter(({ image }) => isOfPlatform(image, platform));
  if (found.length > 0) return found;
  throw new OtherPlatformError(
    `Cannot save image "${word}"`,
    platform,
    all.map(({ image }) => image),
  );
}

/** A digest is no name that an archive could give back. */
function namesOf(reference: Reference | undefined): ArchiveImage["names"] {
  if (reference === undefined || reference.digest !== undefined) return [];
  const { tag = DEFAULT_TAG } = reference;
  return [{ full: formatReference(reference), familiar: familiarReference(reference), tag }];
}

function describe(root: string, image: StoredImage): ArchiveImage {
  const { manifest, manifestBytes } = readDocuments(root, image);
  const blobOf = ({ digest, size }: { readonly digest: Digest; readonly size: number }): ArchiveBlob => {
    if (!existsSync(`${root}/${blobPath(digest)}`)) {
      throw new ImageDamagedError(`Cannot save image "${image.reference}": its blob ${digest} is not here`, {
        hint: "Remove the image and pull it again",
      });
    }
    return { digest, sizeBytes: size };
  };
  const { os, architecture, variant } = image;
  return {
    names: [],
    mediaType: image.manifestMediaType,
    manifest: { digest: image.manifestDigest, sizeBytes: manifestBytes.length },
    config: blobOf(manifest.config),
    layers: manifest.layers.map(blobOf),
    platform: variant === undefined ? { os, architecture } : { os, architecture, variant },
  };
}
