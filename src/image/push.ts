/**
 * Pushes an image of the store: its layers and its config as they were pulled, byte by byte, and then its manifest, which
 * makes it an image. A push that is broken off leaves blobs that nothing refers to, and nothing else.
 */
import { statSync } from "node:fs";
import { BunkerError } from "../errors.ts";
import { readSmallFile } from "../linux/small_file.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { blobPath, type Digest, digestOfBytes } from "../oci/digest.ts";
import { type ImageManifest, parseManifest } from "../oci/manifest.ts";
import { isForeignLayer } from "../oci/media_type.ts";
import { formatReference, parseReference, type Reference } from "../oci/reference.ts";
import { putManifest } from "../registry/referrers.ts";
import type { BlobContent } from "../registry/upload.ts";
import { type BlobOutcome, RepositoryWriter, type WriterOptions } from "../registry/writer.ts";
import type { StoredImage } from "../store/find_image.ts";
import { listImages } from "../store/images.ts";
import { inParallel } from "./in_parallel.ts";
import type { PushProgress } from "./push_progress.ts";

/** What to push, and where to. */
export interface PushOptions {
  readonly image: StoredImage;
  /** The repository, and the tag in it. */
  readonly reference: Reference;
  /** Data root, absolute. */
  readonly root: string;
  /** Registries, credentials, retries, timeouts, pieces. */
  readonly client?: WriterOptions;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (progress: PushProgress) => void;
}

/** What the registry has from now on. */
export interface PushedImage {
  readonly digest: Digest;
  /** Bytes of the manifest. */
  readonly sizeBytes: number;
}

/** The store lacks something of the image, or it is damaged there. */
export class PushError extends BunkerError {
  readonly code = "PUSH_FAILED";
}

/** Layers that are on their way at one time, as with docker. */
const PARALLEL_COUNT = 5;

/**
 * Pushes an image.
 * @throws {RegistryError} when the registry refuses, cannot be reached, or made another digest
 * @throws {PushError} when the store lacks bytes that the registry lacks too
 * @throws the signal's reason when it is aborted
 */
export async function pushImage(options: PushOptions): Promise<PushedImage> {
  const { image, reference, root, signal } = options;
  signal?.throwIfAborted();
  const bytes = readManifest(options);
  const manifest = parseManifest(bytes, image.manifestMediaType);
  if (manifest.kind !== "manifest") throw lacking(options, "its manifest is an index");
  const writer = new RepositoryWriter(reference, { ...options.client, signal });
  const layers = distinct(manifest.layers).filter(({ mediaType }) => !isForeignLayer(mediaType));
  options.onProgress?.({
    kind: "layers",
    layers: layers.map(({ digest, size }) => ({ digest, sizeBytes: size })),
  });
  const origins = originsOf(root, reference);
  await inParallel(layers, { count: PARALLEL_COUNT, signal }, (layer) =>
    pushLayer(layer, { options, writer, origins }),
  );
  const config = await writer.pushBlob(manifest.config, contentOf(root, manifest.config));
  if (config === undefined) throw lacking(options, "its configuration is not here");
  await putManifest(writer, { digest: image.manifestDigest, mediaType: manifest.mediaType, bytes });
  return { digest: image.manifestDigest, sizeBytes: bytes.length };
}

interface Pushing {
  readonly options: PushOptions;
  readonly writer: RepositoryWriter;
  readonly origins: ReadonlyMap<Digest, string>;
}

async function pushLayer(layer: Descriptor, { options, writer, origins }: Pushing): Promise<void> {
  const { digest, size } = layer;
  const report = (
    state: Extract<PushProgress, { kind: "layer" }>["state"],
    doneBytes: number,
    from?: string,
  ) =>
    options.onProgress?.({
      ...{ kind: "layer", digest, state, doneBytes, sizeBytes: size },
      ...(from === undefined ? {} : { from }),
    });
  const outcome = await writer.pushBlob(layer, contentOf(options.root, layer), {
    mountFrom: origins.get(digest),
    onBytes: (done) => report("pushing", done),
  });
  if (outcome === undefined) throw lacking(options, `the bytes of its layer "${digest}" are not here`);
  report(states[outcome.kind], size, outcome.kind === "mounted" ? outcome.from : undefined);
}

const states = { exists: "exists", mounted: "mounted", uploaded: "pushed" } as const satisfies Record<
  BlobOutcome["kind"],
  string
>;

function readManifest(options: PushOptions): Uint8Array {
  const { image, root } = options;
  const bytes = readSmallFile(`${root}/${blobPath(image.manifestDigest)}`);
  if (bytes === undefined) throw lacking(options, "its manifest is not here");
  if (digestOfBytes(bytes) !== image.manifestDigest) throw lacking(options, "its manifest is damaged");
  return bytes;
}

/** Undefined when the store does not have the blob, or not as a whole. */
function contentOf(root: string, { digest, size }: Descriptor): BlobContent["open"] | undefined {
  const path = `${root}/${blobPath(digest)}`;
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined || stat.size !== size) return undefined;
  return (start, end) => Bun.file(path).slice(start, end).stream();
}

/** Which other repository of the registry should have a layer: those that images here were pulled from. */
export function originsOf(root: string, { registry, repository }: Reference): Map<Digest, string> {
  const origins = new Map<Digest, string>();
  for (const image of listImages(root)) {
    const origin = parseReference(image.reference);
    if (origin.registry !== registry || origin.repository === repository) continue;
    for (const { digest } of layersOf(root, image)) origins.set(digest, origin.repository);
  }
  return origins;
}

function layersOf(root: string, { manifestDigest, manifestMediaType }: StoredImage): ImageManifest["layers"] {
  try {
    const bytes = readSmallFile(`${root}/${blobPath(manifestDigest)}`);
    const manifest = bytes === undefined ? undefined : parseManifest(bytes, manifestMediaType);
    return manifest?.kind === "manifest" ? manifest.layers : [];
  } catch {
    // Only a hint where a layer might be: another image's damage is no matter of this push.
    return [];
  }
}

const distinct = (descriptors: readonly Descriptor[]): Descriptor[] => [
  ...new Map(descriptors.map((descriptor) => [descriptor.digest, descriptor])).values(),
];

function lacking({ reference }: PushOptions, state: string): PushError {
  const name = formatReference(reference);
  return new PushError(`Cannot push image "${name}": ${state}`, {
    hint: "Pull the image again from where it came from",
  });
}
