/**
 * An image that is made here, of a layer that is made here, and stored as one that was pulled: by the same unpacking, with
 * the same checks, in one step.
 */
import { type ChangeableConfig, changeableConfig } from "../oci/change/change.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { type Digest, digestOfBytes } from "../oci/digest.ts";
import { parseImageConfig } from "../oci/image_config.ts";
import { type JsonObject, optionalObject, parseJsonObject } from "../oci/json.ts";
import { parseManifest } from "../oci/manifest.ts";
import { DOCKER_CONFIG, DOCKER_MANIFEST, OCI_CONFIG, OCI_MANIFEST } from "../oci/media_type.ts";
import type { Platform } from "../oci/platform.ts";
import type { Reference } from "../oci/reference.ts";
import type { ResolvedImage } from "../registry/client.ts";
import { StoreError } from "../store/open_store.ts";
import type { NewLayer } from "./compressed_layer.ts";
import { type PullResult, type StoreOptions, storeImage } from "./store_image.ts";

/** What an image stands on: another one, or nothing. */
export interface ImageBase {
  /** The configuration document as it is. */
  readonly document: JsonObject;
  readonly manifestMediaType: string;
  /** Bottom first. */
  readonly layers: readonly Descriptor[];
  readonly diffIds: readonly Digest[];
}

/** One line of `history`, in the document's own names. */
export interface NewStep {
  readonly created: string;
  readonly author?: string;
  readonly created_by?: string;
  readonly comment?: string;
}

/** What is new about an image. */
export interface NewImage {
  readonly base: ImageBase;
  /** Undefined: only the configuration is new. */
  readonly layer: NewLayer | undefined;
  readonly config: ChangeableConfig;
  readonly step: NewStep;
}

const DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/** Fields of a configuration that the new image has too; others speak of the build of the old one. */
const KEPT_FIELDS = ["architecture", "os", "os.version", "os.features", "variant"] as const;

/** RFC 3339, as Go writes it: whole seconds without a fraction. */
export const timeText = (time: Date): string => time.toISOString().replace(".000Z", "Z");

/** Nothing to stand on. */
export const emptyBase = (platform: Platform): ImageBase => ({
  document: { ...platform },
  manifestMediaType: OCI_MANIFEST,
  layers: [],
  diffIds: [],
});

/** The base that an image of the store is. @throws {SyntaxError} {RangeError} when a document is not valid */
export function baseOf(manifestBytes: Uint8Array, configBytes: Uint8Array): ImageBase {
  const manifest = parseManifest(manifestBytes);
  if (manifest.kind !== "manifest") throw new SyntaxError("Cannot read manifest: it is an index");
  const { diffIds } = parseImageConfig(configBytes, manifest.layers.length);
  const document = parseJsonObject(configBytes, "image config");
  return { document, manifestMediaType: manifest.mediaType, layers: manifest.layers, diffIds };
}

/** The part of a base's configuration that may change. */
export function configOf({ document }: ImageBase): ChangeableConfig {
  return changeableConfig(optionalObject(document, "config", "image config") ?? {});
}

/** Where to, and under which name: without one its digest is its name, as for images of archives. */
export type NewImageOptions = Omit<StoreOptions, "reference" | "keepBlobs"> & {
  readonly reference: Reference | undefined;
  readonly signal: AbortSignal;
};

/** Repository of images that have no name. */
export const UNNAMED = { registry: "localhost", repository: "unnamed" };

/**
 * Stores an image.
 * @throws {LayerError} {TarError} for a hostile layer; {RangeError} when it has too many; {StoreError} when a layer of the
 * base was taken away
 */
export async function storeNewImage(image: NewImage, options: NewImageOptions): Promise<PullResult> {
  const resolved = resolveNewImage(image);
  const { signal, reference = { ...UNNAMED, digest: resolved.manifestDigest }, ...rest } = options;
  const files = new Map(image.layer === undefined ? [] : [[image.layer.descriptor.digest, image.layer.path]]);
  // Compressed layers of the base that are not here any more are no reason to fail: nothing is fetched for them.
  const store = { ...rest, reference, keepBlobs: false };
  return await storeImage({ ...resolved, reference }, store, {
    client: { blobRequest: missing },
    files,
    signal,
  });
}

function missing(): never {
  throw new StoreError("Cannot find a layer of the image below", {
    hint: "Pull that image again with bunker pull, or see bunker system check",
  });
}

function resolveNewImage({ base, layer, config, step }: NewImage): Omit<ResolvedImage, "reference"> {
  const isDocker = base.manifestMediaType === DOCKER_MANIFEST;
  const added = layer === undefined ? [] : [layer];
  const kept = KEPT_FIELDS.flatMap((key) =>
    base.document[key] === undefined ? [] : [[key, base.document[key]]],
  );
  const history = Array.isArray(base.document["history"]) ? base.document["history"] : [];
  const document = {
    created: step.created,
    ...(step.author === undefined ? {} : { author: step.author }),
    ...Object.fromEntries(kept),
    config,
    rootfs: { type: "layers", diff_ids: [...base.diffIds, ...added.map(({ diffId }) => diffId)] },
    history: [...history, layer === undefined ? { ...step, empty_layer: true } : step],
  };
  const configBytes = Buffer.from(JSON.stringify(document));
  const layers = [
    ...base.layers,
    ...added.map(({ descriptor }) => (isDocker ? { ...descriptor, mediaType: DOCKER_LAYER } : descriptor)),
  ];
  const manifestBytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: isDocker ? DOCKER_MANIFEST : OCI_MANIFEST,
      config: {
        mediaType: isDocker ? DOCKER_CONFIG : OCI_CONFIG,
        digest: digestOfBytes(configBytes),
        size: configBytes.length,
      },
      layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
    }),
  );
  const manifest = parseManifest(manifestBytes);
  if (manifest.kind !== "manifest") throw new Error("Cannot happen: a manifest is an index");
  const digest = digestOfBytes(manifestBytes);
  return {
    targetDigest: digest,
    indices: [],
    manifestDocument: { digest, mediaType: manifest.mediaType, bytes: manifestBytes },
    manifestDigest: digest,
    manifest,
    configBytes,
    config: parseImageConfig(configBytes, layers.length),
    isOtherPlatform: false,
  };
}
