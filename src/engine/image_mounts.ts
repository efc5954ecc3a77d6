/**
 * Images that are mounted (`image mount`): a record for each, `ROOT/mounts/KEY.json`, written before the mount is made. A
 * record whose mount is gone, as after a restart of the machine, counts nothing and goes with the next one that looks under
 * the lock of the images.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { removeTemporaries, writeFileAtomic } from "../fs/atomic.ts";
import { readMounts } from "../fs/mount_table.ts";
import type { Digest } from "../oci/digest.ts";

/** Directory of the records, and of mounts without a place of their own, relative to the data root. */
const MOUNTS = "mounts";

/** What rmdir(2) says of a directory that is not ours to remove. */
const KEPT: readonly string[] = ["ENOENT", "ENOTDIR", "ENOTEMPTY", "EBUSY", "EXDEV"];

/** An image that is mounted. */
export interface ImageMount {
  /** Twelve hex digits. */
  readonly key: string;
  readonly imageId: Digest;
  readonly manifestDigest: Digest;
  /** The name that it was mounted by. */
  readonly reference: string;
  /** Relative to the data root. */
  readonly layers: readonly string[];
  /** Absolute path. */
  readonly target: string;
}

/** What the mount table shows as the source of a mount. */
export const sourceOf = (key: string): string => `bunker-image-${key}`;

/** The directory of a mount that was given no other. */
export const ownTarget = (root: string, key: string): string => `${root}/${MOUNTS}/${key}`;

/** Mounts that are there, in the order of their making. */
export function listMounts(root: string): ImageMount[] {
  const records = recordsOf(root);
  if (records.length === 0) return [];
  const mounts = readMounts();
  return records
    .flatMap((record) => {
      const at = mounts.findIndex(({ source }) => source === sourceOf(record.key));
      // It may have been moved since.
      return at < 0 ? [] : [{ at, mount: { ...record, target: mounts[at]?.target ?? record.target } }];
    })
    .sort((one, other) => one.at - other.at)
    .map(({ mount }) => mount);
}

/**
 * Removes records whose mount is gone, and those that a kill kept from getting their names. The caller holds the lock of
 * the images. @returns what is there
 */
export function healMounts(root: string): ImageMount[] {
  if (existsSync(`${root}/${MOUNTS}`)) removeTemporaries(`${root}/${MOUNTS}`);
  const live = listMounts(root);
  const keys = new Set(live.map(({ key }) => key));
  for (const { key } of recordsOf(root)) if (!keys.has(key)) removeMountRecord(root, key);
  return live;
}

/** Writes the record of a mount that is about to be made. The caller holds the lock of the images. */
export function writeMountRecord(root: string, mount: ImageMount): void {
  mkdirSync(`${root}/${MOUNTS}`, { recursive: true, mode: 0o711 });
  writeFileAtomic(recordPath(root, mount.key), `${JSON.stringify(mount, null, 2)}\n`);
}

/** Removes a record, and the directory that was made for it. */
export function removeMountRecord(root: string, key: string): void {
  try {
    rmdirSync(ownTarget(root, key));
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    // With its record gone nobody would come back to it.
    if (!KEPT.includes(code)) throw error;
    // It was mounted elsewhere, or somebody put something of theirs there: not ours to remove.
  }
  rmSync(recordPath(root, key), { force: true });
}

const recordPath = (root: string, key: string): string => `${root}/${MOUNTS}/${key}.json`;

function recordsOf(root: string): ImageMount[] {
  // Whatever else keeps a record from being read: its image must not be taken for one that nobody uses.
  const isNone = (error: unknown): boolean =>
    error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === "ENOENT";
  let names: readonly string[];
  try {
    names = readdirSync(`${root}/${MOUNTS}`);
  } catch (error) {
    if (!isNone(error)) throw error;
    // Nothing was ever mounted.
    return [];
  }
  return names
    .filter((name) => /^[0-9a-f]{12}\.json$/.test(name))
    .flatMap((name) => {
      try {
        return [JSON.parse(readFileSync(`${root}/${MOUNTS}/${name}`, "utf8")) as ImageMount];
      } catch (error) {
        if (!isNone(error)) throw error;
        // Removed meanwhile, or zeros after a power loss: then its mount is gone too.
        return [];
      }
    });
}
