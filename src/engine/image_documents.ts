/** Reads manifest and configuration of a local image; both were verified when they came. */
import { readFileSync } from "node:fs";
import { BunkerError } from "../errors.ts";
import { blobPath, type Digest } from "../oci/digest.ts";
import { type ImageConfig, parseImageConfig } from "../oci/image_config.ts";
import { type ImageManifest, parseManifest } from "../oci/manifest.ts";
import type { StoredImage } from "../store/find_image.ts";
import { chainIds } from "../store/layers.ts";

/** A document of an image that is here is missing or damaged. */
export class ImageDamagedError extends BunkerError {
  readonly code = "IMAGE_DAMAGED";
}

/** Both documents, with the exact bytes. */
export interface ImageDocuments {
  readonly manifest: ImageManifest;
  readonly manifestBytes: Uint8Array;
  readonly config: ImageConfig;
  readonly configBytes: Uint8Array;
}

/** @throws {ImageDamagedError} when a document is missing or cannot be read */
export function readDocuments(root: string, image: StoredImage): ImageDocuments {
  try {
    const manifestBytes = readFileSync(`${root}/${blobPath(image.manifestDigest)}`);
    const manifest = parseManifest(manifestBytes, image.manifestMediaType);
    if (manifest.kind !== "manifest") throw new SyntaxError("Cannot read manifest: it is an index");
    const configBytes = readFileSync(`${root}/${blobPath(image.imageId)}`);
    const config = parseImageConfig(configBytes, manifest.layers.length);
    return { manifest, manifestBytes, config, configBytes };
  } catch (cause) {
    throw new ImageDamagedError(`Cannot read image "${image.reference}"`, {
      cause,
      hint: "Pull it again with bunker pull, or see bunker system check",
    });
  }
}

/** ChainIDs of the layers, bottom first; empty when the documents are damaged: they are for display here. */
export function readChain(root: string, image: StoredImage): readonly Digest[] {
  try {
    return chainIds(readDocuments(root, image).config.diffIds);
  } catch {
    // The image can be removed all the same, and that is what is wanted.
    return [];
  }
}
