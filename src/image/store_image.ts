/**
 * Puts an image into the store, whoever has its content: missing layers are unpacked, and all is committed in one step, with
 * a flush of the file system before content gets its names, and one before the image gets its own.
 */
import { existsSync, renameSync, writeFileSync } from "node:fs";
import { AT_FDCWD, O_DIRECTORY, O_RDONLY } from "../linux/abi/fcntl.ts";
import { Fd, openat, syncfs } from "../linux/file.ts";
import { blobPath, type Digest } from "../oci/digest.ts";
import { formatPlatform, hostPlatform, type Platform } from "../oci/platform.ts";
import { formatReference, type Reference } from "../oci/reference.ts";
import type { ResolvedImage } from "../registry/client.ts";
import type { Quota } from "../registry/notices.ts";
import type { StoredImage } from "../store/find_image.ts";
import { lockImages, recordImage } from "../store/images.ts";
import { commitLayer, layerPathOf, type StagedLayer } from "../store/layers.ts";
import { StoreError } from "../store/open_store.ts";
import { Staging } from "../store/staging.ts";
import { explainFull } from "./disk_full.ts";
import { chooseForm, type LayerPreference } from "./erofs/layer_form.ts";
import { type LayerContext, lockLayers, type PreparedLayers, prepareLayers } from "./pull_layers.ts";
import type { PullProgress } from "./pull_progress.ts";
import type { Skipped } from "./unpack/attributes.ts";
import { chooseWhiteouts } from "./unpack/choose_whiteouts.ts";
import type { UnpackOptions } from "./unpack/options.ts";

/** Under which name, and where to; defaults in brackets. */
export interface StoreOptions {
  readonly reference: Reference;
  /** Only when the user asks for one; this machine's otherwise. */
  readonly platform?: Platform | undefined;
  /** Data root, absolute. */
  readonly root: string;
  /** Set when this process is root of a user namespace: which ids are mapped there. */
  readonly rootless?: { readonly owners: "exact" | "single" } | undefined;
  /** How layers are kept: as files where the kernel mounts such, or as directories [directories]. */
  readonly layers?: LayerPreference | undefined;
  /** Keep compressed layers, for save and push [true]. */
  readonly keepBlobs?: boolean;
  readonly onProgress?: (progress: PullProgress) => void;
  /** Looks at who uses layers of the store, and keeps others from it [nobody does]. */
  readonly holdUsers?: ((root: string) => LayerUsers) | undefined;
}

/** Those who use layers; nobody starts to use anything until this is disposed of. */
export interface LayerUsers extends Disposable {
  readonly users: ReadonlyArray<{
    /** Relative to the root. */
    readonly layers: readonly string[];
    /** Why nothing of it can go, and what to do about it. */
    readonly reason: string;
    readonly hint: string;
  }>;
}

/** The image as it is in the store from now on. */
export interface PullResult {
  readonly image: StoredImage;
  readonly status: "downloaded" | "up-to-date";
  /** Pulls that are left at the registry, when it says so. */
  readonly quota?: Quota | undefined;
  /** What of the layers could not be kept: counts, all 0 for root on an ordinary file system. */
  readonly skipped: Skipped;
}

/** Where the layers come from. */
export type LayerOrigin = Pick<LayerContext, "client" | "files" | "signal">;

/** Stores an image in an open store. @throws {DiskFullError}, and as prepareLayers() */
export async function storeImage(
  resolved: ResolvedImage,
  options: StoreOptions,
  origin: LayerOrigin,
): Promise<PullResult> {
  using stack = new DisposableStack();
  const staging = stack.use(Staging.create(options.root)).path;
  try {
    return await storeStaged(resolved, options, { ...origin, stack, staging });
  } catch (error) {
    // Here, where nothing of what was written is gone yet, the limit can be seen.
    throw explainFull(options.root, error);
  }
}

async function storeStaged(
  resolved: ResolvedImage,
  options: StoreOptions,
  {
    client,
    files,
    signal,
    stack,
    staging,
  }: LayerOrigin & { readonly stack: DisposableStack; readonly staging: string },
): Promise<PullResult> {
  const { root, onProgress = () => undefined } = options;
  // Before anything is written: what fails on the way to the disk is then told here, whoever has been told already.
  const disk = stack.use(new Fd(openat(AT_FDCWD, root, { flags: O_RDONLY | O_DIRECTORY })));
  const context: LayerContext = {
    root,
    staging,
    client,
    files,
    options: await unpackOptions(staging, options),
    keepBlobs: options.keepBlobs ?? true,
    signal,
    onProgress,
  };
  const layers = resolved.manifest.layers.map(({ digest, size }) => ({ digest, sizeBytes: size }));
  onProgress({ kind: "layers", layers });
  await lockLayers(stack, resolved.config.diffIds, context);
  const prepared = await prepareLayers(resolved, context);
  signal.throwIfAborted();
  const image = describeImage(resolved, prepared, context);
  const blobs = stageBlobs(resolved, prepared, context);
  // One flush for all that was staged.
  syncfs(disk.number);
  // Content and record come under one lock: nobody who looks for garbage meets the one without the other.
  using _ = await lockImages(root);
  const staged = [...new Set(prepared.layers)].filter((layer) => "directory" in layer);
  using _unused = holdReplaced(root, staged, options);
  for (const { path, digest } of blobs) putBlob(path, `${root}/${blobPath(digest)}`);
  for (const layer of staged) commitLayer(root, layer);
  // And one for their names: btrfs may keep a flushed record, and lose names elsewhere that are older.
  syncfs(disk.number);
  recordImage(root, image, { reference: options.reference, platform: recordPlatform(options.platform) });
  return { image, status: "downloaded", skipped: prepared.skipped };
}

/**
 * What is in the place of a layer has lost its record, or is of another form; a container may run on it all the same, and
 * what changes below a mounted overlay is undefined.
 * @returns undefined when nothing is replaced, as it is in all honest stores
 * @throws {StoreError} when somebody uses it
 */
function holdReplaced(
  root: string,
  layers: readonly StagedLayer[],
  { holdUsers }: Pick<StoreOptions, "holdUsers">,
): LayerUsers | undefined {
  const replaced = layers
    .map(({ record }) => layerPathOf(record))
    .filter((path) => existsSync(`${root}/${path}`));
  const held = replaced.length === 0 ? undefined : holdUsers?.(root);
  for (const { layers: used, reason, hint } of held?.users ?? []) {
    const layer = replaced.find((path) => used.includes(path));
    if (layer === undefined) continue;
    held?.[Symbol.dispose]();
    throw new StoreError(`Cannot replace layer "${layer}": ${reason}`, {
      hint: `${hint}, or mend its record with bunker system check --repair`,
    });
  }
  return held;
}

/**
 * A blob that was here already is staged as a second name of it, in case that somebody takes the first away. To rename one
 * name of a file to another does nothing; an overlay, on which the store of another container's bunker lies, answers ESTALE.
 */
function putBlob(path: string, target: string): void {
  try {
    renameSync(path, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESTALE" || !existsSync(target)) throw error;
  }
}

function stageBlobs(
  { indices, manifestDocument, manifest, configBytes }: ResolvedImage,
  { blobs }: PreparedLayers,
  { staging }: LayerContext,
): PreparedLayers["blobs"] {
  return [
    ...blobs,
    ...indices.map(({ bytes, digest }, depth) => stageBlob(`${staging}/index-${depth}`, bytes, digest)),
    stageBlob(`${staging}/manifest`, manifestDocument.bytes, manifestDocument.digest),
    stageBlob(`${staging}/config`, configBytes, manifest.config.digest),
  ];
}

function stageBlob(path: string, bytes: Uint8Array, digest: Digest): { path: string; digest: Digest } {
  writeFileSync(path, bytes, { mode: 0o600 });
  return { path, digest };
}

function describeImage(
  resolved: ResolvedImage,
  { layers }: PreparedLayers,
  { options }: LayerContext,
): StoredImage {
  const { config, manifest, reference } = resolved;
  const { platform, created } = config;
  const lowest = Math.max(
    0,
    layers.findLastIndex(({ record }) => record.opaque),
  );
  return {
    reference: formatReference(reference),
    manifestDigest: resolved.manifestDigest,
    manifestMediaType: manifest.mediaType,
    targetDigest: resolved.targetDigest,
    imageId: manifest.config.digest,
    // What lies below an opaque root never shows, and overlayfs does not look at that mark on a root.
    layers: layers.slice(lowest).map(({ record }) => layerPathOf(record)),
    overlayXattrs: options.whiteouts,
    config: config.config,
    os: platform.os,
    architecture: platform.architecture,
    ...(platform.variant === undefined ? {} : { variant: platform.variant }),
    ...(created === undefined ? {} : { created }),
    storedAt: new Date().toISOString(),
    sizeBytes: layers.reduce((sum, { record }) => sum + record.sizeBytes, 0),
  };
}

/** How layers are unpacked here. @param staging a directory on the data root's file system, in which is tried */
export async function unpackOptions(
  staging: string,
  { rootless, layers }: Pick<StoreOptions, "rootless" | "layers">,
): Promise<UnpackOptions> {
  const form = rootless === undefined ? await chooseForm(layers, `${staging}/images`) : "directory";
  return {
    form,
    whiteouts: form === "erofs" ? "trusted" : chooseWhiteouts(`${staging}/probe`, rootless !== undefined),
    owners: rootless?.owners ?? "exact",
    devices: rootless === undefined ? "create" : "skip",
    creator: { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 },
    umask: process.umask(),
  };
}

/** This machine's platform is what a record without one is for. */
export function recordPlatform(platform: Platform | undefined): Platform | undefined {
  return platform === undefined || formatPlatform(platform) === formatPlatform(hostPlatform())
    ? undefined
    : platform;
}
