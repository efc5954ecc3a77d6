/** A registry on loopback in place of Docker Hub: its token flow, its redirects, and `alpine`; and the configuration. */
import { writeFileSync } from "node:fs";
import { buildAlpine } from "./alpine_image.ts";
import { type FakeRegistry, serveRegistry } from "./fake_registry.ts";
import { buildIndex } from "./image_builder.ts";
import { layerPreference } from "./layer_preference.ts";

/** Serves `alpine:latest` as Docker Hub does: an index with attestations, tokens, blobs from another host. */
export function serveHub(): FakeRegistry {
  const alpine = buildIndex({ images: [buildAlpine()], attestations: true });
  return serveRegistry({
    images: { "library/alpine:latest": alpine },
    auth: { type: "token" },
    blobRedirects: true,
  });
}

/** Writes a configuration that has `registry` as the mirror of docker.io; for BUNKER_CONFIG. */
export function writeMirrorConfig(path: string, registry: FakeRegistry): void {
  const layers = layerPreference === undefined ? {} : { layers: layerPreference };
  writeFileSync(
    path,
    JSON.stringify({ ...layers, registries: { "docker.io": { mirrors: [registry.url] } } }),
  );
}
