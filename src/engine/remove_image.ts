/**
 * `rmi`: takes names from images, and removes the images that lose their last one. Records go first; what nothing
 * refers to then is garbage, whoever comes to remove it.
 */
import { BunkerError } from "../errors.ts";
import { familiarName, familiarReference, parseReference } from "../oci/reference.ts";
import type { StoredImage } from "../store/find_image.ts";
import { type ImageRecord, listRecords, replaceRecords } from "../store/images.ts";
import type { EngineContext } from "./context.ts";
import { dataRoot } from "./directories.ts";
import { readChain } from "./image_documents.ts";
import type { ImageUser } from "./image_users.ts";
import { findLocalImage, type LocalImage, NoSuchImageError } from "./local_image.ts";
import { hasStore } from "./store_presence.ts";
import { takeUnderLock } from "./take_garbage.ts";

/** An image cannot be removed: a container runs it, it is mounted, or it has more names than the one meant. */
export class ImageInUseError extends BunkerError {
  readonly code = "IMAGE_IN_USE";
}

/** What `rmi` did, in the order in which docker tells it. */
export interface RemovedImages {
  /** Names that mean nothing any more. */
  readonly untagged: readonly string[];
  /** Ids of images, each followed by the chainIDs of layers that no other image has. */
  readonly deleted: readonly string[];
  readonly reclaimedBytes: number;
}

/**
 * Removes a name, or with an id all names of an image.
 * @param options `force`: also an id with names in several repositories
 * @throws {NoSuchImageError} {ImageInUseError}
 */
export async function removeImage(
  word: string,
  options: { readonly force: boolean },
  context: EngineContext,
): Promise<RemovedImages> {
  const root = dataRoot(context);
  if (!hasStore(root)) throw new NoSuchImageError(word);
  return remove(context, () => {
    const local = findLocalImage(root, word);
    if (local.reference === undefined && !options.force) refuseSeveral(word, local);
    return local.records;
  });
}

/** Removes what `choose` returns, which is called under the lock of the images. */
export async function remove(
  context: EngineContext,
  choose: (users: readonly ImageUser[]) => readonly ImageRecord[],
): Promise<RemovedImages> {
  const root = dataRoot(context);
  let told: Omit<RemovedImages, "reclaimedBytes"> = { untagged: [], deleted: [] };
  const { garbage, finish } = await takeUnderLock(root, (users) => {
    const records = choose(users);
    const remaining = listRecords(root).filter(({ path }) => records.every((record) => record.path !== path));
    const gone = lastOf(records, remaining);
    refuseUsed(gone, users);
    told = { untagged: untaggedBy(records, remaining), deleted: deletedWith(root, gone, remaining) };
    replaceRecords(root, { written: [], removed: records.map(({ path }) => path) });
  });
  await finish(context);
  return { ...told, reclaimedBytes: garbage.sizeBytes };
}

/** The images, one of each id, that have no other name. */
function lastOf(records: readonly ImageRecord[], remaining: readonly ImageRecord[]): StoredImage[] {
  const named = new Set(remaining.map(({ image }) => image.imageId));
  const byId = new Map(records.map(({ image }) => [image.imageId, image]));
  return [...byId.values()].filter(({ imageId }) => !named.has(imageId));
}

function refuseUsed(gone: readonly StoredImage[], users: readonly ImageUser[]): void {
  for (const { imageId, reference } of gone) {
    const user = users.find((each) => each.imageId === imageId);
    if (user === undefined) continue;
    const name = familiarReference(parseReference(reference));
    throw new ImageInUseError(`Cannot remove image "${name}": ${user.reason}`, { hint: user.hint });
  }
}

function refuseSeveral(word: string, { records }: LocalImage): void {
  const names = new Set(records.map(({ image }) => familiarName(parseReference(image.reference))));
  if (names.size <= 1) return;
  throw new ImageInUseError(`Cannot remove image "${word}": ${names.size} repositories have it`, {
    hint: "Remove it by its names, or add -f to remove them all",
  });
}

/** Each name once, and after the last of a repository its digest, as docker has it. */
function untaggedBy(records: readonly ImageRecord[], remaining: readonly ImageRecord[]): string[] {
  const nameOf = ({ image }: ImageRecord): string => familiarName(parseReference(image.reference));
  const lines = records.map(({ image }) => familiarReference(parseReference(image.reference)));
  const digests = records.flatMap((record) => {
    const { targetDigest } = record.image;
    const isLast = !remaining.some(
      (other) => nameOf(other) === nameOf(record) && other.image.targetDigest === targetDigest,
    );
    return isLast ? [`${nameOf(record)}@${targetDigest}`] : [];
  });
  return [...new Set([...lines, ...digests])];
}

/** Ids of images with their own chains of layers, top first. */
function deletedWith(
  root: string,
  gone: readonly StoredImage[],
  remaining: readonly ImageRecord[],
): string[] {
  const shared = new Set(remaining.flatMap(({ image }) => readChain(root, image)));
  const lines = gone.flatMap((image) => [
    image.imageId,
    ...readChain(root, image)
      .toReversed()
      .filter((chainId) => !shared.has(chainId)),
  ]);
  return [...new Set(lines)];
}
