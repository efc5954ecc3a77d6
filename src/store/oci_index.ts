/** `ROOT/index.json`: makes the data root an OCI image layout that other tools can read (image-spec, image-layout.md). */
import { readFileSync, rmSync, statSync, utimesSync } from "node:fs";
import { writeFileAtomic } from "../fs/atomic.ts";
import { blobPath } from "../oci/digest.ts";
import type { StoredImage } from "./find_image.ts";

const FULL: readonly string[] = ["ENOSPC", "EDQUOT"];

/** Writes the index of all images whose manifests are here. */
export function writeIndex(root: string, images: readonly StoredImage[]): void {
  const manifests = images.flatMap((image) => {
    const stat = statSync(`${root}/${blobPath(image.manifestDigest)}`, { throwIfNoEntry: false });
    return stat === undefined ? [] : [descriptorOf(image, stat.size)];
  });
  const index = { schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests };
  const path = `${root}/index.json`;
  const text = `${JSON.stringify(index, null, 2)}\n`;
  // Its time says that it is no older than the records.
  if (textOf(path) === text) utimesSync(path, new Date(), new Date());
  else replaceIndex(path, text);
}

/** On a full disk the old one makes room first: it is made from the records, and made again where it is missing. */
function replaceIndex(path: string, text: string): void {
  try {
    writeFileAtomic(path, text, { durable: false });
  } catch (error) {
    if (!FULL.includes(String((error as NodeJS.ErrnoException).code))) throw error;
    rmSync(path, { force: true });
    writeFileAtomic(path, text, { durable: false });
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // Missing, or unreadable: it is written anew.
    return undefined;
  }
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
