/**
 * Takes away what no image refers to. Everything is renamed into a staging directory, which is quick however large it
 * is; removing it is left to the caller. Safe beside pulls and runs:
 *
 *   - records cannot change meanwhile: the caller holds lockImages(), under which a pull puts its content in place;
 *   - a layer that a pull relies on is locked by it, and passed over; a pull that comes later does not find it;
 *   - a layer's blob stays as long as a record of that layer is here;
 *   - what containers use the caller names in `used`.
 *
 * A layer loses its record first: without it, it is none, so a kill between the two steps leaves garbage and no damage.
 */
import { readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { Lock } from "../fs/lock.ts";
import { blobPath, type Digest, digestOfHex } from "../oci/digest.ts";
import { listImages } from "./images.ts";
import { type LayerRecord, layerLockPath, readLayerRecord } from "./layers.ts";
import { layerDirectory, layerRecordPath } from "./layout.ts";
import { markImages } from "./marks.ts";

/** What was taken away. */
export interface Garbage {
  readonly layers: readonly LayerRecord[];
  readonly blobs: readonly Digest[];
  /** Bytes of layers and blobs. */
  readonly sizeBytes: number;
  /** Directory entries that are to be removed. */
  readonly entries: number;
  /**
   * Absolute paths of what could not be moved, since another user owns it, there is no room, or the store came with the image
   * of a container: blobs, and layers that have no record any more.
   */
  readonly unmoved: readonly string[];
}

/** What is garbage, and where it goes. */
export interface CollectOptions {
  /** Layers of running containers, as records list them. */
  readonly used: ReadonlySet<string>;
  /** Manifests and configurations of the images of running containers [none]. */
  readonly documents?: ReadonlySet<Digest>;
  /** Absolute path of a directory on the store's file system; undefined when there was no room to make one. */
  readonly staging: string | undefined;
}

const RECORD_SUFFIX = ".json";
const BLOB_NAME = /^[0-9a-f]{64}$/;
/** Locks of layers and of names. */
const PULL_LOCK = /^(?:layer|pull)-[0-9a-f]{64}$/;

/** Moves all garbage away. The caller holds the lock of lockImages(). */
export function collectGarbage(
  root: string,
  { used, documents = new Set(), staging }: CollectOptions,
): Garbage {
  const marks = markImages(root, listImages(root));
  const isUsed = (name: string): boolean =>
    marks.layers.has(layerDirectory(name)) || used.has(layerDirectory(name));
  const unmoved: string[] = [];
  const away = (name: string): void => moveAway(`${root}/${layerDirectory(name)}`, staging, unmoved);
  const layers = namesOf(`${root}/layers`, RECORD_SUFFIX)
    .filter((name) => !isUsed(name))
    .flatMap((name) => takeLayer(root, name, away));
  const known = new Set(namesOf(`${root}/layers`, RECORD_SUFFIX));
  // What a kill has left between the two steps; a pull makes such names under the caller's lock only.
  for (const name of namesOf(`${root}/l`)) if (!known.has(name) && !isUsed(name)) away(name);
  const records = [...known].flatMap((name) => readLayerRecord(root, name) ?? []);
  removeStaleLocks(root, new Set(records.map(({ diffId }) => layerLockPath(root, diffId))));
  const needed = new Set(records.map(({ blob }) => blob));
  const blobs = namesOf(`${root}/blobs/sha256`)
    .filter((name) => BLOB_NAME.test(name))
    .map(digestOfHex)
    .filter((digest) => !marks.blobs.has(digest) && !needed.has(digest) && !documents.has(digest));
  const blobBytes = blobs.reduce((sum, digest) => sum + sizeOf(`${root}/${blobPath(digest)}`), 0);
  for (const digest of blobs) moveAway(`${root}/${blobPath(digest)}`, staging, unmoved);
  return {
    layers,
    blobs,
    sizeBytes: blobBytes + layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    // Whatever a layer that is a file holds, it is one entry.
    entries:
      blobs.length + layers.reduce((sum, { form, entries }) => sum + (form === "erofs" ? 1 : entries), 0),
    unmoved,
  };
}

/** @returns the layer's record, or nothing when a pull has its lock; one without a readable record is no layer */
function takeLayer(root: string, name: string, away: (name: string) => void): LayerRecord[] {
  const record = readLayerRecord(root, name);
  using lock = record === undefined ? undefined : Lock.tryTake(layerLockPath(root, record.diffId));
  if (record !== undefined && lock === undefined) return [];
  rmSync(`${root}/${layerRecordPath(name)}`, { force: true });
  away(name);
  if (record === undefined) return [];
  // Still held: whoever waits for it sees that the file is gone, and makes another.
  rmSync(layerLockPath(root, record.diffId), { force: true });
  return [record];
}

/** What pulls that failed or were killed have left: files of locks that nobody holds, of layers that never came. */
function removeStaleLocks(root: string, kept: ReadonlySet<string>): void {
  for (const name of namesOf(`${root}/locks`).filter((each) => PULL_LOCK.test(each))) {
    const path = `${root}/locks/${name}`;
    using lock = kept.has(path) ? undefined : Lock.tryTake(path);
    // Held meanwhile: whoever waits for it sees that the file is gone, and makes another.
    if (lock !== undefined) rmSync(path, { force: true });
  }
}

function moveAway(path: string, staging: string | undefined, unmoved: string[]): void {
  if (staging === undefined) {
    unmoved.push(path);
    return;
  }
  try {
    renameSync(path, `${staging}/${path.slice(path.lastIndexOf("/") + 1)}`);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return;
    // A directory gets another parent only by somebody who may write to it, and on overlayfs none that lies in a lower layer.
    if (!["EACCES", "EPERM", "ENOSPC", "EDQUOT", "EXDEV"].includes(code)) throw error;
    unmoved.push(path);
  }
}

function namesOf(directory: string, suffix = ""): string[] {
  try {
    return readdirSync(directory)
      .filter((name) => !name.startsWith(".") && name.endsWith(suffix))
      .map((name) => name.slice(0, name.length - suffix.length));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
