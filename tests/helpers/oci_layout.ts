/** Writes images that were built in memory as an OCI image layout, which skopeo, umoci and buildah read. */
import { mkdirSync, writeFileSync } from "node:fs";
import { type BuiltDocument, descriptorOf } from "./image_builder.ts";

/**
 * Writes `documents` into the new directory `directory`.
 * @param documents by the tag that names each, e.g. `oci:DIRECTORY:TAG` for skopeo
 */
export function writeOciLayout(directory: string, documents: Readonly<Record<string, BuiltDocument>>): void {
  mkdirSync(`${directory}/blobs/sha256`, { recursive: true });
  for (const document of Object.values(documents)) {
    const manifests = [...document.manifests].map(([digest, { bytes }]) => [digest, bytes] as const);
    for (const [digest, bytes] of [...document.blobs, ...manifests]) {
      writeFileSync(`${directory}/blobs/${digest.replace(":", "/")}`, bytes);
    }
  }
  const manifests = Object.entries(documents).map(([tag, document]) => ({
    ...descriptorOf(document),
    annotations: { "org.opencontainers.image.ref.name": tag },
  }));
  writeFileSync(`${directory}/index.json`, JSON.stringify({ schemaVersion: 2, manifests }));
  writeFileSync(`${directory}/oci-layout`, JSON.stringify({ imageLayoutVersion: "1.0.0" }));
}
