/** Unpacked layers: found by what they hold, put in place in one step. */
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { isLacking } from "../fs/absent.ts";
import { removeTree } from "../fs/remove_tree.ts";
import { AT_FDCWD } from "../linux/abi/fcntl.ts";
import { type Digest, digestHex, digestOfBytes } from "../oci/digest.ts";
import {
  chainLayerName,
  diffLayerName,
  imageLayerName,
  layerDirectory,
  layerRecordPath,
  markedLayerName,
} from "./layout.ts";

/** `ROOT/layers/NAME.json`: what a layer is. */
export interface LayerRecord {
  readonly diffId: Digest;
  /** Set when the layer took something from those below it: it is right above this chain only. */
  readonly chainId?: Digest;
  /** Digest of the compressed layer that it was unpacked from. */
  readonly blob: Digest;
  readonly sizeBytes: number;
  readonly entries: number;
  /** True when nothing of the layers below shows through. */
  readonly opaque: boolean;
  readonly overlayXattrs: "trusted" | "user" | "files";
  /** Set when the layer is a file; a directory otherwise. */
  readonly form?: "erofs";
}

/** A layer in the store. */
export interface StoredLayer {
  readonly name: string;
  readonly record: LayerRecord;
}

/** Where a layer stands in an image. */
export interface LayerKey {
  readonly diffId: Digest;
  readonly chainId: Digest;
}

/**
 * Identifies the stack of layers up to each one (image-spec, config.md#layer-chainid).
 * @param diffIds bottom first
 */
export function chainIds(diffIds: readonly Digest[]): Digest[] {
  const chain: Digest[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    chain.push(below === undefined ? diffId : digestOfBytes(Buffer.from(`${below} ${diffId}`)));
  }
  return chain;
}

/** What of the store a pull can use. */
export interface LayerUse {
  readonly whiteouts: LayerRecord["overlayXattrs"];
  /** Where layers become files, those that are directories do as well; the other way round not. */
  readonly form: "directory" | "erofs";
}

/** Finds an unpacked layer; one that is of no use is not found. */
export function findLayer(
  root: string,
  { diffId, chainId }: LayerKey,
  { whiteouts, form }: LayerUse,
): StoredLayer | undefined {
  const plain = [diffLayerName(diffId), chainLayerName(chainId)];
  const directories = whiteouts === "files" ? plain.map(markedLayerName) : plain;
  for (const name of [...(form === "erofs" ? directories.map(imageLayerName) : []), ...directories]) {
    const record = readLayerRecord(root, name);
    if (record === undefined || !existsSync(`${root}/${layerDirectory(name)}`)) continue;
    const isSame = record.diffId === diffId && (record.chainId ?? chainId) === chainId;
    if (isSame && record.overlayXattrs === whiteouts) return { name, record };
  }
  return undefined;
}

/** The record of a layer; undefined when it is missing or damaged. @throws node:fs errors: EMFILE, ENOMEM */
export function readLayerRecord(root: string, name: string): LayerRecord | undefined {
  try {
    return JSON.parse(readFileSync(`${root}/${layerRecordPath(name)}`, "utf8")) as LayerRecord;
  } catch (error) {
    if (isLacking(error)) throw error;
    // Without a record the layer is as good as absent: it is unpacked again.
    return undefined;
  }
}

/** All unpacked layers that have a record, by name. */
export function listLayers(root: string): StoredLayer[] {
  const suffix = ".json";
  const directory = `${root}/layers`;
  const files = existsSync(directory) ? readdirSync(directory) : [];
  return files
    .filter((file) => file.endsWith(suffix))
    .sort()
    .flatMap((file) => {
      const name = file.slice(0, -suffix.length);
      const record = readLayerRecord(root, name);
      return record === undefined ? [] : [{ name, record }];
    });
}

/** Name that a layer has in the store. */
export function layerNameOf({ chainId, diffId, form, overlayXattrs }: LayerRecord): string {
  const name = chainId === undefined ? diffLayerName(diffId) : chainLayerName(chainId);
  if (form === "erofs") return imageLayerName(name);
  return overlayXattrs === "files" ? markedLayerName(name) : name;
}

/** A layer that is ready: directory or file and record on the store's file system, flushed. */
export interface StagedLayer {
  readonly record: LayerRecord;
  /** Absolute path of the unpacked layer. */
  readonly directory: string;
  /** Absolute path of the record's file, written by {@link writeLayerRecord}. */
  readonly recordFile: string;
}

/** Writes a record's file; not flushed. */
export function writeLayerRecord(path: string, record: LayerRecord): void {
  writeFileSync(path, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 });
}

/** Path that a layer has, relative to the root, as records of images list it. */
export const layerPathOf = (record: LayerRecord): string => layerDirectory(layerNameOf(record));

/** Puts the record of a layer in place that is there already. The caller holds the layer's lock. */
export function commitRecord(root: string, { record, recordFile }: StagedLayer): void {
  renameSync(recordFile, `${root}/${layerRecordPath(layerNameOf(record))}`);
}

/** Moves a layer to its place. The caller holds the layer's lock, and has seen that nobody uses what it replaces. */
export function commitLayer(root: string, { record, directory, recordFile }: StagedLayer): StoredLayer {
  const name = layerNameOf(record);
  const target = `${root}/${layerDirectory(name)}`;
  // What is there has no record, or one of another form: the remains of a crash.
  const place = `${root}/${layerRecordPath(name)}`;
  if (existsSync(target)) {
    rmSync(place, { force: true });
    setAside(target, `${directory}.replaced`);
  }
  // A directory without a record is no layer: what a kill leaves between the two is garbage, not damage.
  renameSync(directory, target);
  renameSync(recordFile, place);
  return { name, record };
}

/** On overlayfs a directory of a lower layer, where a store lies that came with an image, cannot be moved. */
function setAside(path: string, place: string): void {
  try {
    renameSync(path, place);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
    removeTree({ dirfd: AT_FDCWD, path });
  }
}

/** Path of the lock under which a layer is unpacked. */
export const layerLockPath = (root: string, diffId: Digest): string =>
  `${root}/locks/layer-${digestHex(diffId)}`;
