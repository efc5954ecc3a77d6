/** Makes an image of one layer from an archive of files: what `import` does. */
import { applyChanges } from "../oci/change/change.ts";
import { hostPlatform } from "../oci/platform.ts";
import { openStore } from "../store/open_store.ts";
import { removeAbandoned, Staging } from "../store/staging.ts";
import { compressLayer } from "./compressed_layer.ts";
import { decompressed } from "./decompressed.ts";
import { configOf, emptyBase, type NewImageOptions, storeNewImage, timeText } from "./new_image.ts";
import type { PullResult } from "./store_image.ts";

/** What the image gets besides its files. */
export interface ImportOptions extends NewImageOptions {
  /** Instructions of a Dockerfile. */
  readonly changes: readonly string[];
  /** Comment of its only step. */
  readonly message: string;
  readonly created: Date;
}

/**
 * Imports an archive, compressed by gzip or zstd or not at all.
 * @throws {SyntaxError} for a change that is none, before anything is read
 * @throws {CompressionError} {TarError} {LayerError} as a pull of such a layer; the store is as before
 */
export async function importImage(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  { changes, message, created, ...options }: ImportOptions,
): Promise<PullResult> {
  const { root, platform = hostPlatform(), signal } = options;
  const base = emptyBase(platform);
  const config = applyChanges(configOf(base), changes);
  openStore(root);
  await removeAbandoned(root);
  using staging = Staging.create(root);
  const layer = await compressLayer(decompressed(chunks), `${staging.path}/layer`, signal);
  const step = { created: timeText(created), comment: message };
  return await storeNewImage({ base, layer, config, step }, options);
}
