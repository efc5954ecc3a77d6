/**
 * Brings an image's layers into a staging directory, those that the store does not have yet. What two pulls have in
 * common only one of them fetches: each holds the locks of its layers, taken in the order of their names, until it has
 * committed.
 */
import { existsSync, linkSync, rmSync, statSync } from "node:fs";
import type { Lock } from "../fs/lock.ts";
import { Lock as FileLock } from "../fs/lock.ts";
import { removeTree } from "../fs/remove_tree.ts";
import { AT_FDCWD } from "../linux/abi/fcntl.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { blobPath, type Digest } from "../oci/digest.ts";
import type { RegistryClient, ResolvedImage } from "../registry/client.ts";
import { isImagePath } from "../store/find_image.ts";
import {
  chainIds,
  findLayer,
  layerLockPath,
  type StagedLayer,
  type StoredLayer,
  writeLayerRecord,
} from "../store/layers.ts";
import { imageLayerName } from "../store/layout.ts";
import { flushMeanwhile } from "./background_flush.ts";
import { inParallel } from "./in_parallel.ts";
import { keepBlob } from "./keep_blob.ts";
import type { LayerJob, LayerSource } from "./lane/job.ts";
import { layerChunks } from "./lane/layer_chunks.ts";
import { type QueuedLayer, unpackAll } from "./layer_queue.ts";
import { fromNextSource, nextRequest } from "./next_source.ts";
import type { PullProgress } from "./pull_progress.ts";
import type { LayerResult } from "./unpack/applier.ts";
import type { Skipped } from "./unpack/attributes.ts";
import { LowerLayers } from "./unpack/lower_layers.ts";
import type { UnpackOptions } from "./unpack/options.ts";

/** Blobs that are fetched at one time without being unpacked, as docker has it. */
const BLOBS_AT_ONCE = 3;

/** What a pull of layers works with. */
export interface LayerContext {
  readonly root: string;
  /** Directory for what is not in place yet. */
  readonly staging: string;
  readonly client: Pick<RegistryClient, "blobRequest">;
  /** Verified blobs on the store's file system, by digest: looked at before the client is asked. */
  readonly files?: ReadonlyMap<Digest, string> | undefined;
  readonly options: UnpackOptions;
  /** The form of each layer, by its place from the bottom [that of the options]. */
  readonly formAt?: (index: number) => UnpackOptions["form"];
  readonly keepBlobs: boolean;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: PullProgress) => void;
}

/** One layer of the image, at its position. */
interface Position {
  readonly index: number;
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
  readonly chainId: Digest;
}

/** A layer that was unpacked by this pull, before it is known what of the layers below it needs. */
interface Unpacked {
  readonly directory: string;
  readonly result: LayerResult;
}

/** The layers of an image, bottom first: each in the store already, or staged to be moved there. */
export interface PreparedLayers {
  readonly layers: readonly (StoredLayer | StagedLayer)[];
  /** Blobs to be moved into the store: from, and digest. */
  readonly blobs: readonly { readonly path: string; readonly digest: Digest }[];
  readonly skipped: Skipped;
}

/** Takes the locks of all layers, waiting for other pulls; the caller releases them. */
export async function lockLayers(
  stack: DisposableStack,
  diffIds: readonly Digest[],
  { root, signal, onProgress }: LayerContext,
): Promise<void> {
  const onWait = (): void => onProgress({ kind: "waiting" });
  for (const diffId of [...new Set(diffIds)].sort()) {
    // In one order for everyone: two pulls that want the same layers never wait for each other.
    const lock: Lock = await FileLock.take(layerLockPath(root, diffId), { signal, onWait });
    stack.use(lock);
  }
}

/**
 * Fetches and unpacks what is missing. The caller holds the locks.
 * @throws {RegistryError} {RelayedError} {LayerError} …
 */
export async function prepareLayers(image: ResolvedImage, context: LayerContext): Promise<PreparedLayers> {
  const { manifest, config } = image;
  const chain = chainIds(config.diffIds);
  const positions = manifest.layers.map((descriptor, index): Position => {
    const diffId = config.diffIds[index];
    const chainId = chain[index];
    if (diffId === undefined || chainId === undefined)
      throw new RangeError("Cannot pair layers and diff_ids");
    return { index, descriptor, diffId, chainId };
  });
  const found = positions.map((position) => findLayer(context.root, position, context.options));
  const missing = positions.filter(({ index }) => found[index] === undefined);
  for (const { descriptor, index } of positions) {
    if (found[index] !== undefined && hasBlob(descriptor, context))
      report(context, descriptor, "exists", descriptor.size);
  }
  const unpacked = await unpackMissing(image, missing, context);
  if (context.keepBlobs) await fetchBlobs(image, positions, context);
  const skipped: Skipped = { owners: 0, devices: 0, xattrs: 0 };
  const below = new LowerLayers(context.options);
  const staged = new Map<Digest, StagedLayer>();
  const layers = positions.map((position) => {
    const layer =
      found[position.index] ?? settle(position, { unpacked, below, context, skipped, positions, staged });
    below.push("name" in layer ? `${context.root}/l/${layer.name}` : layer.directory, layer.record.opaque);
    return layer;
  });
  return { layers, blobs: blobsOf(positions, context), skipped };
}

async function unpackMissing(
  image: ResolvedImage,
  missing: readonly Position[],
  context: LayerContext,
): Promise<Map<Digest, Unpacked>> {
  const unpacked = new Map<Digest, Unpacked>();
  const distinct = new Map(missing.map((position) => [position.diffId, position]));
  const queue = [...distinct.values()].map((position): QueuedLayer => {
    const { descriptor, diffId } = position;
    const directory = pathOf(position, context);
    let done = 0;
    return {
      sizeBytes: descriptor.size,
      open: () => openJob(image, position, context),
      again: (job, error) => {
        const next = nextJob(job, error);
        if (next !== undefined) done = 0;
        return next;
      },
      onBytes: (count) => {
        done += count;
        report(context, descriptor, "fetching", done);
      },
      onDone: (result) => {
        unpacked.set(diffId, { directory, result });
        report(context, descriptor, "unpacked", descriptor.size);
      },
    };
  });
  const bytes = queue.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  using _ = await flushMeanwhile(context.root, bytes, `${context.staging}/flush`);
  await unpackAll(queue, context.signal);
  return unpacked;
}

async function openJob(image: ResolvedImage, position: Position, context: LayerContext): Promise<LayerJob> {
  const { descriptor, diffId } = position;
  const { client, keepBlobs, options } = context;
  const staged = stagedBlob(position, context);
  // By a second name, so that it can be removed meanwhile: it is put in place again with the rest.
  const isStored = linkBlob(position, context);
  const source: LayerSource = isStored
    ? { kind: "file", path: staged }
    : { kind: "registry", request: await client.blobRequest(image.reference, descriptor) };
  return {
    source,
    expected: { descriptor, diffId },
    blobPath: isStored || !keepBlobs ? undefined : staged,
    directory: pathOf(position, context),
    options: { ...options, form: formAt(context, position.index) },
  };
}

/** The job with the sources that are left, when what came was not the layer. */
function nextJob(job: LayerJob, error: unknown): LayerJob | undefined {
  if (job.source.kind !== "registry") return undefined;
  const request = nextRequest(job.source.request, error);
  if (request === undefined) return undefined;
  removeTree({ dirfd: AT_FDCWD, path: job.directory });
  if (job.blobPath !== undefined) rmSync(job.blobPath, { force: true });
  return { ...job, source: { kind: "registry", request } };
}

/**
 * Brings the compressed layers that nothing was unpacked from: those of layers that are here in another compression, or
 * have lost theirs. Without them the image could not be saved or pushed. The caller holds the locks of the layers.
 */
async function fetchBlobs(
  image: ResolvedImage,
  positions: readonly Position[],
  context: LayerContext,
): Promise<void> {
  const staged = new Set(blobsOf(positions, context).map(({ digest }) => digest));
  const others = positions.filter(({ descriptor }) => !staged.has(descriptor.digest));
  const distinct = [...new Map(others.map((position) => [position.descriptor.digest, position])).values()];
  const missing = distinct.filter((position) => !linkBlob(position, context));
  const options = { count: BLOBS_AT_ONCE, signal: context.signal };
  await inParallel(missing, options, async (position, signal) => {
    const { descriptor } = position;
    let done = 0;
    const request = await context.client.blobRequest(image.reference, descriptor);
    const path = stagedBlob(position, context);
    const onBytes = (count: number): void => {
      done += count;
      report(context, descriptor, "fetching", done);
    };
    const forget = (): void => {
      rmSync(path, { force: true });
      done = 0;
    };
    await fromNextSource(
      request,
      (current) =>
        keepBlob(layerChunks({ kind: "registry", request: current }, signal), path, { descriptor, onBytes }),
      forget,
    );
    report(context, descriptor, "unpacked", descriptor.size);
  });
}

/** Gives a blob of the store or of an archive a second name. @returns false when there is none */
function linkBlob(position: Position, context: LayerContext): boolean {
  const { descriptor } = position;
  const staged = stagedBlob(position, context);
  if (hasBlob(descriptor, context) && tryLink(`${context.root}/${blobPath(descriptor.digest)}`, staged))
    return true;
  const file = context.files?.get(descriptor.digest);
  return file !== undefined && tryLink(file, staged);
}

/** Another size cannot be the same blob: what a power loss has cut short is fetched again. */
function hasBlob({ digest, size }: Descriptor, { root }: LayerContext): boolean {
  return statSync(`${root}/${blobPath(digest)}`, { throwIfNoEntry: false })?.size === size;
}

/** @returns false when nothing is at `from` */
function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

interface Settling {
  readonly unpacked: ReadonlyMap<Digest, Unpacked>;
  readonly below: LowerLayers;
  readonly context: LayerContext;
  readonly skipped: Skipped;
  readonly positions: readonly Position[];
  /** Layers that are right wherever they stand, by diffID: an image may hold one twice. */
  readonly staged: Map<Digest, StagedLayer>;
}

/** Completes a layer from those below it, and writes its record. */
function settle(position: Position, settling: Settling): StagedLayer {
  const { unpacked, context, skipped, staged } = settling;
  const { diffId, chainId, descriptor } = position;
  const known = staged.get(diffId);
  if (known !== undefined) return known;
  const layer = unpacked.get(diffId);
  if (layer === undefined) throw new Error("Cannot happen: a missing layer was not unpacked");
  const { result } = layer;
  const isSelfContained = result.implied.length === 0 && result.links.length === 0;
  const directory = isSelfContained ? layer.directory : complete(position, layer, settling);
  for (const key of ["owners", "devices", "xattrs"] as const) skipped[key] += result.skipped[key];
  const record = {
    diffId,
    ...(isSelfContained ? {} : { chainId }),
    blob: descriptor.digest,
    sizeBytes: result.sizeBytes,
    entries: result.entries,
    opaque: result.opaque,
    overlayXattrs: context.options.whiteouts,
    ...(isImagePath(directory) ? { form: "erofs" as const } : {}),
  };
  const recordFile = `${directory}.json`;
  writeLayerRecord(recordFile, record);
  const settled = { record, directory, recordFile };
  if (isSelfContained) staged.set(diffId, settled);
  return settled;
}

/** @returns the completed layer: a copy of what was unpacked when it stands in the image again, further up */
function complete(
  { index, diffId }: Position,
  layer: Unpacked,
  { below, positions, context }: Settling,
): string {
  const isNeededAgain = positions.some((other) => other.index > index && other.diffId === diffId);
  const directory = isNeededAgain ? below.copy(layer.directory, pathOf({ index }, context)) : layer.directory;
  below.complete(directory, layer.result);
  return directory;
}

/** Those that were fetched or linked: each digest once, wherever in the image it stands. */
function blobsOf(positions: readonly Position[], context: LayerContext): PreparedLayers["blobs"] {
  const staged = positions.filter((position) => existsSync(stagedBlob(position, context)));
  const distinct = new Map(staged.map((position) => [position.descriptor.digest, position]));
  return [...distinct].map(([digest, position]) => ({ path: stagedBlob(position, context), digest }));
}

/** Where a layer is unpacked to: a directory, or a file. */
function pathOf({ index }: Pick<Position, "index">, context: LayerContext): string {
  const name = `layer-${index}`;
  return `${context.staging}/${formAt(context, index) === "erofs" ? imageLayerName(name) : name}`;
}

const formAt = (context: LayerContext, index: number): UnpackOptions["form"] =>
  context.formAt?.(index) ?? context.options.form;

const stagedBlob = ({ index }: Position, { staging }: LayerContext): string => `${staging}/blob-${index}`;

function report(
  { onProgress }: LayerContext,
  { digest, size }: Descriptor,
  ...[state, doneBytes]: ["exists" | "fetching" | "unpacked", number]
): void {
  onProgress({ kind: "layer", digest, state, doneBytes, sizeBytes: size });
}
