/** `ROOT/index.json`: makes the data root an OCI image layout that other tools can read (image-spec, image-layout.md). */
import { statSync } from "node:fs";
import { writeFileAtomic } from "../fs/atomic.ts";
import { blobPath } from "../oci/digest.ts";
import type { StoredImage } from "./find_image.ts";

/** Writes the index of all images whose manifests are here. */
export function writeIndex(root: string, images: readonly StoredImage[]): void {
  const manifests = images.flatMap((image) => {
    const stat = statSync(`${root}/${blobPath(image.manifestDigest)}`, { throwIfNoEntry: false });
    return stat === undefined ? [] : [descriptorOf(image, stat.size)];
  });
  const index = { schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests };
  writeFileAtomic(`${root}/index.json`, `${JSON.stringify(index, null, 2)}\n`, { durable: false });
}

function descriptorOf(image: StoredImage, size: number): object {
  const { os, architecture, variant } = image;
  return {
    mediaType: image.manifestMediaType,
    digest: image.manifestDigest,
    size,
    annotations: { "org.opencontainers.image.ref.name": image.reference },
    platform: variant === undefined ? { os, architecture } : { os, architecture, variant },
  };
}
