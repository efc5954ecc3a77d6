/**
 * Looks whether the store is what it says: every blob has its digest, every record of a layer its directory, every image
 * its layers, index, manifest and configuration. Nothing is changed.
 */
import {
  closeSync,
  constants,
  createReadStream,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
} from "node:fs";
import { isTemporary } from "../fs/atomic.ts";
import { blobPath, type Digest, digestOfHex, isDigest } from "../oci/digest.ts";
import { parseImageConfig } from "../oci/image_config.ts";
import { parseManifest } from "../oci/manifest.ts";
import { isImagePath, readRecord } from "./find_image.ts";
import { findMissingIndex } from "./image_content.ts";
import { type ImageRecord, listRecords } from "./images.ts";
import { layerNameOf, readLayerRecord } from "./layers.ts";
import { layerDirectory } from "./layout.ts";

/** Something that is wrong. */
export interface StoreFault {
  readonly kind: "blob" | "layer" | "image";
  /** Path relative to the root of the file that is wrong or says what is wrong. */
  readonly path: string;
  readonly state: string;
  /** Whether repairing removes the file: an image that lacks a compressed layer runs all the same. */
  readonly isBroken: boolean;
}

/** What was looked at. */
export interface StoreCheck {
  readonly blobs: number;
  readonly blobBytes: number;
  readonly layers: number;
  readonly images: number;
  readonly faults: readonly StoreFault[];
}

/** Says what is wrong with a layer that is a file, by its absolute path; undefined when nothing is. */
export type ImageInspector = (path: string) => string | undefined;

/** Read of a blob at a time. */
const CHUNK_BYTES = 1 << 20;

/** Looks at everything; reads every blob to its end. */
export async function checkStore(root: string, inspect: ImageInspector): Promise<StoreCheck> {
  const faults: StoreFault[] = [];
  let [blobs, blobBytes] = [0, 0];
  const damaged = new Set<Digest>();
  for (const name of namesOf(`${root}/blobs/sha256`)) {
    const path = `blobs/sha256/${name}`;
    if (!isDigest(`sha256:${name}`)) {
      faults.push({ kind: "blob", path, state: "its name is no digest", isBroken: true });
      continue;
    }
    const { hex, size } = await hashOf(`${root}/${path}`);
    blobs += 1;
    blobBytes += size;
    // Removed by another command meanwhile: nothing to be said about it.
    if (hex === undefined || hex === name) continue;
    damaged.add(digestOfHex(name));
    faults.push({ kind: "blob", path, state: `its content has the digest sha256:${hex}`, isBroken: true });
  }
  const first = lookAt(root, { inspect, damaged });
  // What another command changes meanwhile looks broken for a moment: it counts when it is so twice.
  const again = first.faults.length === 0 ? first : lookAt(root, { inspect, damaged });
  const lasting = new Set(again.faults.map(({ path, state }) => `${path} ${state}`));
  faults.push(...first.faults.filter(({ path, state }) => lasting.has(`${path} ${state}`)));
  return { blobs, blobBytes, layers: first.layers, images: first.images, faults };
}

/**
 * Those faults that are there still, for a caller who holds the lock of the images: between a check and the lock other
 * commands may have brought anew what was broken.
 */
export function faultsLeft(
  root: string,
  faults: readonly StoreFault[],
  inspect: ImageInspector,
): readonly StoreFault[] {
  const blobs = faults.filter(({ kind, path }) => kind === "blob" && isDamaged(root, path));
  const damaged = new Set(blobs.map(({ path }) => digestAt(path)).filter(isDigest));
  const found = new Set(
    lookAt(root, { inspect, damaged }).faults.map(({ path, state }) => `${path} ${state}`),
  );
  return [...blobs, ...faults.filter(({ path, state }) => found.has(`${path} ${state}`))];
}

const digestAt = (path: string): string => `sha256:${path.slice(path.lastIndexOf("/") + 1)}`;

function isDamaged(root: string, path: string): boolean {
  const digest = digestAt(path);
  return existsSync(`${root}/${path}`) && !(isDigest(digest) && hashNow(`${root}/${path}`) === digest);
}

/** Digest of what can be read of a file; whatever lies there, nobody is waited for. */
function hashNow(path: string): string | undefined {
  const hasher = new Bun.CryptoHasher("sha256");
  const chunk = Buffer.alloc(CHUNK_BYTES);
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    for (let count = readSync(fd, chunk); count > 0; count = readSync(fd, chunk)) {
      hasher.update(chunk.subarray(0, count));
    }
    return `sha256:${hasher.digest("hex")}`;
  } catch {
    // As above: what cannot be read is damaged.
    return undefined;
  } finally {
    closeSync(fd);
  }
}

/** Layers and images without the content of blobs. */
function lookAt(
  root: string,
  { inspect, damaged }: { readonly inspect: ImageInspector; readonly damaged: ReadonlySet<Digest> },
): Pick<StoreCheck, "layers" | "images" | "faults"> {
  const layers = namesOf(`${root}/layers`).filter((name) => name.endsWith(".json"));
  const records = listRecords(root);
  const faults = [
    ...layers.flatMap((file) => faultsOfLayer(root, file, inspect)),
    ...unreadable(root, records),
    ...records.flatMap((record) => faultsOfImage(root, record, damaged)),
  ];
  return { layers: layers.length, images: records.length, faults };
}

async function hashOf(path: string): Promise<{ hex: string | undefined; size: number }> {
  const hasher = new Bun.CryptoHasher("sha256");
  let size = 0;
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) {
      hasher.update(chunk as Buffer);
      size += (chunk as Buffer).length;
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return { hex: undefined, size: 0 };
    // A disk that cannot read it is as bad as one that reads something else.
    return { hex: `(${code ?? "unreadable"})`, size };
  }
  return { hex: hasher.digest("hex"), size };
}

function faultsOfLayer(root: string, file: string, inspect: ImageInspector): StoreFault[] {
  const name = file.slice(0, -".json".length);
  const path = `layers/${file}`;
  const fault = (state: string): StoreFault[] => [{ kind: "layer", path, state, isBroken: true }];
  const record = readLayerRecord(root, name);
  if (record === undefined) return fault("its record cannot be read");
  if (!isDigest(record.diffId ?? "") || layerNameOf(record) !== name)
    return fault("its record is of another layer");
  const layer = `${root}/${layerDirectory(name)}`;
  if (!existsSync(layer)) return fault(`its ${isImagePath(name) ? "file" : "directory"} is missing`);
  const damage = isImagePath(name) ? inspect(layer) : undefined;
  return damage === undefined ? [] : fault(damage);
}

/** Files below `refs` that are no records: a power loss may leave them. */
function unreadable(root: string, records: readonly ImageRecord[]): StoreFault[] {
  if (!existsSync(`${root}/refs`)) return [];
  const known = new Set(records.map(({ path }) => path));
  const files = readdirSync(`${root}/refs`, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && !isTemporary(entry.name),
  );
  return files
    .map(({ parentPath, name }) => `${parentPath}/${name}`.slice(root.length + 1))
    .filter((path) => !known.has(path) && readRecord(`${root}/${path}`) === undefined)
    .map((path) => ({ kind: "image", path, state: "its record cannot be read", isBroken: true }));
}

function faultsOfImage(
  root: string,
  { image, path }: ImageRecord,
  damaged: ReadonlySet<Digest>,
): StoreFault[] {
  const fault = (state: string, isBroken: boolean): StoreFault => ({ kind: "image", path, state, isBroken });
  const hasLayer = (layer: string): boolean =>
    existsSync(`${root}/${layer}`) &&
    readLayerRecord(root, layer.slice(layer.indexOf("/") + 1)) !== undefined;
  const missing = image.layers.filter((layer) => !hasLayer(layer));
  const faults = missing.map((layer) => fault(`its layer ${layer} is missing, or has no record`, true));
  const isGone = (digest: Digest): boolean =>
    damaged.has(digest) || !existsSync(`${root}/${blobPath(digest)}`);
  const document = [image.manifestDigest, image.imageId].find(isGone);
  if (document !== undefined)
    return [...faults, fault(`its document ${document} is missing or damaged`, true)];
  try {
    const manifest = parseManifest(readFileSync(`${root}/${blobPath(image.manifestDigest)}`));
    if (manifest.kind !== "manifest") return [...faults, fault("its manifest is an index", true)];
    parseImageConfig(readFileSync(`${root}/${blobPath(image.imageId)}`), manifest.layers.length);
    const blobs = manifest.layers.filter(({ digest }) => isGone(digest)).map(({ digest }) => digest);
    const index = findMissingIndex(root, image, isGone);
    const states = [
      ...blobs.map(
        (digest) => `its compressed layer ${digest} is missing or damaged: it runs, but cannot be saved`,
      ),
      ...(index === undefined
        ? []
        : [`its index ${index} is missing or damaged: it runs, but is pushed without`]),
    ];
    return [...faults, ...states.map((state) => fault(state, false))];
  } catch (error) {
    return [...faults, fault(error instanceof Error ? error.message : String(error), true)];
  }
}

function namesOf(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}
