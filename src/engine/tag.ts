/** `tag`: another name for a local image. */
import { UsageError } from "../errors.ts";
import { formatReference, parseReference } from "../oci/reference.ts";
import { recordPath } from "../store/find_image.ts";
import { type ImageRecord, listRecords, lockImages, moveNames, platformSuffix } from "../store/images.ts";
import type { EngineContext } from "./context.ts";
import { dataRoot } from "./directories.ts";
import { findLocalImage, NoSuchImageError } from "./local_image.ts";
import { hasStore } from "./store_presence.ts";

/**
 * Gives `source` the name `target` too, for all platforms that it is here for. What had the name before loses it, and keeps its digest.
 * @throws {NoSuchImageError} {UsageError} when `target` has a digest
 */
export async function tagImage(source: string, target: string, context: EngineContext): Promise<void> {
  const root = dataRoot(context);
  const reference = parseReference(target);
  if (reference.digest !== undefined) {
    throw new UsageError(`Cannot tag "${target}": a digest is what an image has, not a name to be given`);
  }
  if (!hasStore(root)) throw new NoSuchImageError(source);
  using _ = await lockImages(root);
  const found = findLocalImage(root, source);
  const records = found.reference === undefined ? found.records.slice(0, 1) : found.records;
  const base = recordPath(reference).slice(0, -".json".length);
  const written = records.map(({ image, path }): ImageRecord => {
    const { isUntagged: _, ...named } = image;
    return { image: { ...named, reference: formatReference(reference) }, path: base + platformSuffix(path) };
  });
  const removed = listRecords(root)
    .map(({ path }) => path)
    .filter((path) => path === `${base}.json` || path.startsWith(`${base}!`));
  moveNames(root, { written, removed });
}
