/**
 * Holds the unpacked layers of an image against its archives: they are unpacked once more from the blobs that are here,
 * into a place of their own, and compared. What differs, or is missing, can be put in place from there.
 */
import { mkdirSync } from "node:fs";
import { AT_FDCWD, O_DIRECTORY, O_RDONLY } from "../linux/abi/fcntl.ts";
import { SyscallError } from "../linux/call.ts";
import { Fd, openat, syncfs } from "../linux/file.ts";
import { blobPath } from "../oci/digest.ts";
import type { ResolvedImage } from "../registry/client.ts";
import { isImagePath, type StoredImage } from "../store/find_image.ts";
import { listImages } from "../store/images.ts";
import { layerNameOf, readLayerRecord, type StagedLayer } from "../store/layers.ts";
import { Staging } from "../store/staging.ts";
import { explainFull } from "./disk_full.ts";
import { LayerDamaged } from "./erofs/image_reader.ts";
import { type LayerContext, lockLayers, prepareLayers } from "./pull_layers.ts";
import { type StoreOptions, unpackOptions } from "./store_image.ts";
import { differencesOf } from "./tree/compare_files.ts";
import { openLayerPath } from "./tree/open_layer_files.ts";

/** Differences of one layer that are looked for; more tell nothing new. */
const DIFFERENCES_MAX = 1000;

/** A layer that is not what its archive says. */
export interface LayerDamage {
  /** Relative to the root, as image records list it. */
  readonly layer: string;
  /** What is wrong, e.g. `"etc/passwd" has other content, and 2 more differences`. */
  readonly state: string;
  /** Nothing but its record is wrong. */
  readonly isRecordOnly: boolean;
  /** What it should be. */
  readonly fresh: StagedLayer;
}

/** An image with its documents, and what of it is to be looked at. */
export interface AuditRequest {
  readonly root: string;
  readonly image: StoredImage;
  readonly resolved: ResolvedImage;
  readonly rootless: StoreOptions["rootless"];
  /** Whether a layer, as records list it, is to be looked at. */
  readonly isWanted: (layer: string) => boolean;
  /** Called for what is wrong, while nobody else takes or brings the image's layers. */
  readonly onDamage: (damage: LayerDamage) => Promise<void>;
}

/**
 * Looks at the layers of an image whose blobs are all here.
 * @throws {DiskFullError} and as prepareLayers()
 */
export async function auditImage(request: AuditRequest): Promise<void> {
  const { root, image, resolved } = request;
  using stack = new DisposableStack();
  const staging = stack.use(Staging.create(root)).path;
  try {
    const { signal } = new AbortController();
    const hidden = resolved.manifest.layers.length - image.layers.length;
    // A root without layers: whatever the image has is unpacked.
    const scratch = `${staging}/scratch`;
    mkdirSync(scratch);
    const context: LayerContext = {
      root: scratch,
      staging,
      client: { blobRequest: missing },
      files: new Map(resolved.manifest.layers.map(({ digest }) => [digest, `${root}/${blobPath(digest)}`])),
      options: {
        ...(await unpackOptions(staging, { rootless: request.rootless, layers: "directories" })),
        whiteouts: image.overlayXattrs,
      },
      formAt: (index) => (isImagePath(image.layers[index - hidden] ?? "") ? "erofs" : "directory"),
      keepBlobs: false,
      signal,
      onProgress: () => undefined,
    };
    await lockLayers(stack, resolved.config.diffIds, { ...context, root });
    // From here on its layers stay. Before, another command may have removed it.
    if (!listImages(root).some(({ manifestDigest }) => manifestDigest === image.manifestDigest)) return;
    const { layers } = await prepareLayers(resolved, context);
    await compareAll(request, layers.filter(isStaged));
  } catch (error) {
    if (error instanceof BlobGone) return;
    throw explainFull(root, error);
  }
}

async function compareAll(
  { root, image, isWanted, onDamage }: AuditRequest,
  fresh: readonly StagedLayer[],
): Promise<void> {
  const hidden = fresh.length - image.layers.length;
  for (const [at, layer] of image.layers.entries()) {
    const expected = fresh[at + hidden];
    if (expected === undefined || !isWanted(layer)) continue;
    const difference = compare(root, layer, expected);
    const isRecordOnly = difference === undefined;
    const isRecorded = readLayerRecord(root, layerNameOf(expected.record)) !== undefined;
    if (isRecordOnly && isRecorded) continue;
    flush(root);
    const state = difference ?? "its record is missing or damaged";
    // One after the other: each may change the store.
    await onDamage({ layer, state, isRecordOnly, fresh: expected });
  }
}

/** @returns what is wrong with its files; undefined when nothing is */
function compare(root: string, layer: string, { directory }: StagedLayer): string | undefined {
  const differences: string[] = [];
  try {
    using expected = openLayerPath(directory);
    using found = openLayerPath(`${root}/${layer}`);
    for (const difference of differencesOf(expected, found)) {
      if (differences.push(difference) === DIFFERENCES_MAX) break;
    }
  } catch (error) {
    // Whatever cannot be read is not as it was written.
    if (error instanceof LayerDamaged) return "its file is damaged";
    if (!(error instanceof SyscallError)) throw error;
    differences.push(error.code === "ENOENT" ? "it is missing" : `it cannot be read: ${error.message}`);
  }
  const [first, ...others] = differences;
  if (others.length === 0) return first;
  return `${first}, and ${others.length} more differences`;
}

const isStaged = (layer: object): layer is StagedLayer => "directory" in layer;

/** What was unpacked is on the disk before it takes the place of anything. */
function flush(root: string): void {
  using directory = new Fd(openat(AT_FDCWD, root, { flags: O_RDONLY | O_DIRECTORY }));
  syncfs(directory.number);
}

/** Another command has removed what was here a moment ago: nothing is left to compare with. */
class BlobGone extends Error {}

function missing(): never {
  throw new BlobGone();
}
