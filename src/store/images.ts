/** Images in the store: listed, found by id, recorded and removed. Everything that `run` itself does not need. */
import { type Dirent, existsSync, mkdirSync, readdirSync, rmdirSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { isTemporary, writeFileAtomic } from "../fs/atomic.ts";
import { Lock } from "../fs/lock.ts";
import type { Platform } from "../oci/platform.ts";
import { formatReference, parseReference, type Reference } from "../oci/reference.ts";
import { formatRecord, readRecord, recordPath, type StoredImage } from "./find_image.ts";
import { writeIndex } from "./oci_index.ts";
import { StoreError } from "./open_store.ts";
import { removeUnfinished } from "./unfinished.ts";

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
      else if (!isTemporary(entry.name)) {
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

/** Where the record of an image lies: its name, and the platform when it was asked for and is not this machine's. */
export interface RecordPlace {
  readonly reference: Reference;
  readonly platform?: Platform | undefined;
}

/** Records an image under a reference: it exists from this moment. Blobs and layers are in place before. */
export async function commitImage(root: string, image: StoredImage, place: RecordPlace): Promise<void> {
  using _ = await lockImages(root);
  recordImage(root, image, place);
}

/** The same for a caller who holds the lock of {@link lockImages}. */
export function recordImage(root: string, image: StoredImage, { reference, platform }: RecordPlace): void {
  moveNames(root, { written: [{ image, path: recordPath(reference, platform) }], removed: [] });
}

/** Records that come and go at once. */
export interface RecordChange {
  readonly written: readonly ImageRecord[];
  /** Paths relative to the root; a path that is written as well is not removed. */
  readonly removed: readonly string[];
}

/**
 * Gives names to images, as {@link replaceRecords} does; an image that so loses its last name keeps its digest for one, as
 * docker shows it with the tag `<none>`, until somebody removes it. One that has a name again needs no such record.
 */
export function moveNames(root: string, { written, removed }: RecordChange): void {
  const changed = new Set([...written.map(({ path }) => path), ...removed]);
  const records = listRecords(root);
  const kept = records.filter(({ path }) => !changed.has(path));
  const named = new Set([...kept, ...written].map(({ image }) => image.imageId));
  const untagged = records
    .filter(({ path, image }) => changed.has(path) && !named.has(image.imageId))
    .map(untaggedRecord);
  const fresh = new Set(written.map(({ image }) => image.imageId));
  const namedAgain = kept.filter(({ image }) => image.isUntagged === true && fresh.has(image.imageId));
  // What keeps an image comes before what takes its name, whatever ends this process between the two.
  replaceRecords(root, {
    written: [...untagged, ...written],
    removed: [...removed, ...namedAgain.map(({ path }) => path)],
  });
}

function untaggedRecord({ image, path }: ImageRecord): ImageRecord {
  const { registry, repository } = parseReference(image.reference);
  const reference = { registry, repository, digest: image.targetDigest };
  const base = recordPath(reference).slice(0, -".json".length);
  return {
    image: { ...image, reference: formatReference(reference), isUntagged: true },
    path: base + platformSuffix(path),
  };
}

/** `!PLATFORM.json`, or `.json` alone, of a record's path. */
export function platformSuffix(path: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return name.includes("!") ? name.slice(name.indexOf("!")) : ".json";
}

/** Writes and removes records. The caller holds the lock of {@link lockImages}. Blobs and layers stay. */
export function replaceRecords(root: string, { written, removed }: RecordChange): void {
  removeUnfinished(root);
  for (const { image, path } of written) {
    mkdirSync(dirname(`${root}/${path}`), { recursive: true, mode: 0o700 });
    writeFileAtomic(`${root}/${path}`, formatRecord(image));
  }
  const kept = new Set(written.map(({ path }) => path));
  for (const path of removed) if (!kept.has(path)) removeRecord(root, path);
  writeIndex(root, listImages(root));
}

/**
 * Removes what a kill in the middle of {@link replaceRecords} left, and writes the index that it did not come to. The
 * caller holds the lock of {@link lockImages}.
 */
export function mendRecords(root: string): void {
  replaceRecords(root, { written: [], removed: [] });
}

/** The same when it looks as if a kill hit the writer of that record: the index comes after it. */
export async function mendIndexOf(root: string, { reference, platform }: RecordPlace): Promise<void> {
  const paths = [recordPath(reference, platform), recordPath(reference)];
  const written = paths.map((path) => mtimeOf(`${root}/${path}`)).find((time) => time !== undefined);
  const indexed = mtimeOf(`${root}/index.json`);
  if (written === undefined || (indexed !== undefined && indexed >= written)) return;
  using _ = await lockImages(root);
  mendRecords(root);
}

const mtimeOf = (path: string): bigint | undefined =>
  statSync(path, { bigint: true, throwIfNoEntry: false })?.mtimeNs;

/** Directories that are empty then go too; another command makes them anew under the same lock. */
function removeRecord(root: string, path: string): void {
  rmSync(`${root}/${path}`, { force: true });
  for (let parent = dirname(path); parent.includes("/"); parent = dirname(parent)) {
    if (entriesOf(`${root}/${parent}`).length > 0) return;
    // A record that was removed before has taken its empty directories with it.
    if (existsSync(`${root}/${parent}`)) rmdirSync(`${root}/${parent}`);
  }
}

/** The lock under which records change. */
export async function lockImages(root: string): Promise<Lock> {
  return Lock.take(`${root}/locks/images`);
}

function entriesOf(directory: string): Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return [];
    const hint = "Use a directory of your own with --root";
    throw new StoreError(`Cannot read directory "${directory}"`, {
      cause: error,
      ...(code === "EACCES" ? { hint } : {}),
    });
  }
}
