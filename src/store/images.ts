/** Images in the store: listed, found by id, recorded and removed. Everything that `run` itself does not need. */
import { type Dirent, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { writeFileAtomic } from "../fs/atomic.ts";
import { Lock } from "../fs/lock.ts";
import type { Platform } from "../oci/platform.ts";
import type { Reference } from "../oci/reference.ts";
import { formatRecord, readRecord, recordPath, type StoredImage } from "./find_image.ts";
import { writeIndex } from "./oci_index.ts";
import { StoreError } from "./open_store.ts";

/** One record: the image, and the path of its file relative to the root. */
export interface ImageRecord {
  readonly image: StoredImage;
  readonly path: string;
}

/** All records, by reference. */
export function listImages(root: string): StoredImage[] {
  return listRecords(root).map(({ image }) => image);
}

/** All records with their files, by reference. */
export function listRecords(root: string): ImageRecord[] {
  const records: ImageRecord[] = [];
  const pending = ["refs"];
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    for (const entry of entriesOf(`${root}/${directory}`)) {
      const path = `${directory}/${entry.name}`;
      if (entry.isDirectory()) pending.push(path);
      else if (!entry.name.startsWith(".tmp-")) {
        const image = readRecord(`${root}/${path}`);
        if (image !== undefined) records.push({ image, path });
      }
    }
  }
  return records.sort((one, other) => (one.path < other.path ? -1 : 1));
}

/** Shortest part of an id that is taken for one. */
const ID_DIGITS_MIN = 4;

/**
 * Finds an image by its id, or the beginning of it, with or without "sha256:".
 * @returns undefined when there is none, or `id` is no id
 * @throws {StoreError} when it is the beginning of several ids
 */
export function findImageById(root: string, id: string): StoredImage | undefined {
  const digits = id.startsWith("sha256:") ? id.slice("sha256:".length) : id;
  if (!/^[0-9a-f]{1,64}$/.test(digits) || digits.length < ID_DIGITS_MIN) return undefined;
  const found = listImages(root).filter((image) => image.imageId.startsWith(`sha256:${digits}`));
  const ids = new Set(found.map((image) => image.imageId));
  if (ids.size <= 1) return found[0];
  throw new StoreError(`Cannot choose image "${id}": ${ids.size} ids begin with it`, {
    hint: "Give more digits of the id",
  });
}

/**
 * Records an image under a reference: it exists from this moment. Blobs and layers are in place before.
 * @param platform when it was asked for by the user and is not this machine's
 */
export async function commitImage(
  root: string,
  image: StoredImage,
  place: { readonly reference: Reference; readonly platform?: Platform | undefined },
): Promise<void> {
  using _ = await lockImages(root);
  const path = `${root}/${recordPath(place.reference, place.platform)}`;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileAtomic(path, formatRecord(image));
  writeIndex(root, listImages(root));
}

/** Removes the record of a reference. @returns false when there is none. Blobs and layers stay until gc. */
export async function removeImage(root: string, reference: Reference, platform?: Platform): Promise<boolean> {
  using _ = await lockImages(root);
  const path = `${root}/${recordPath(reference, platform)}`;
  if (!existsSync(path)) return false;
  rmSync(path);
  writeIndex(root, listImages(root));
  return true;
}

/** The lock under which records change. */
export async function lockImages(root: string): Promise<Lock> {
  return Lock.take(`${root}/locks/images`);
}

function entriesOf(directory: string): Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw new StoreError(`Cannot read directory "${directory}"`, { cause: error });
  }
}
