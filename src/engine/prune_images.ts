/**
 * `image prune`: removes content that no image refers to, images that lost their tag, and with `all` every image that nothing
 * uses.
 */
import { listRecords, mendRecords } from "../store/images.ts";
import type { EngineContext } from "./context.ts";
import { dataRoot } from "./directories.ts";
import type { ImageFilter } from "./image_filter.ts";
import { summariseImage } from "./images.ts";
import { type RemovedImages, remove } from "./remove_image.ts";
import { hasStore } from "./store_presence.ts";
import { takeUnderLock } from "./take_garbage.ts";

/** What to remove besides garbage. */
export interface PruneRequest {
  /** All images that no container runs, not only those that lost their tag. */
  readonly all: boolean;
  /** Of these images only those that it holds for. */
  readonly filter: ImageFilter;
}

/** Removes images and content. Names that images lose stand in `untagged`. */
export async function pruneImages(request: PruneRequest, context: EngineContext): Promise<RemovedImages> {
  const root = dataRoot(context);
  if (!hasStore(root)) return { untagged: [], deleted: [], reclaimedBytes: 0 };
  // First what belongs to no image: it cannot be told apart from the content of those that go next.
  const first = request.all ? undefined : await collect(root, context);
  const images = await remove(context, (users) => {
    const used = new Set(users.map(({ imageId }) => imageId));
    return listRecords(root).filter(
      ({ image }) =>
        !used.has(image.imageId) &&
        (request.all || image.isUntagged === true) &&
        request.filter(summariseImage(image), []),
    );
  });
  if (first === undefined) return images;
  return {
    untagged: images.untagged,
    deleted: [...first.deleted, ...images.deleted],
    reclaimedBytes: first.reclaimedBytes + images.reclaimedBytes,
  };
}

async function collect(root: string, context: EngineContext): Promise<RemovedImages> {
  const { garbage, finish } = await takeUnderLock(root, () => mendRecords(root));
  await finish(context);
  const layers = garbage.layers.map(({ diffId, chainId }) => chainId ?? diffId);
  return { untagged: [], deleted: [...garbage.blobs, ...layers], reclaimedBytes: garbage.sizeBytes };
}
