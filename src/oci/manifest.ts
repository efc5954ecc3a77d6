/**
 * Image manifests and indices, OCI's and Docker's (image-spec, manifest.md and image-index.md). A document must be one
 * thing: where its own mediaType, the Content-Type it was served with and its fields disagree, two readers could see
 * two images under one digest, so it is refused (CVE-2021-41190).
 */
import {
  type Descriptor,
  type ManifestDescriptor,
  parseDescriptor,
  parseManifestDescriptor,
} from "./descriptor.ts";
import { arrayAt, type JsonObject, optionalObject, optionalString, parseJsonObject, show } from "./json.ts";
import {
  bareMediaType,
  DOCKER_MANIFEST,
  isImageConfig,
  isLayer,
  manifestKind,
  OCI_INDEX,
  OCI_MANIFEST,
} from "./media_type.ts";
import { choosePlatform, formatPlatform, type Platform } from "./platform.ts";

const SCHEMA_1_TYPE = "application/vnd.docker.distribution.manifest.v1+json";
/** Most layers in an image: overlayfs takes 500. */
export const LAYER_COUNT_MAX = 500;
/** Most entries in an index. */
export const INDEX_ENTRY_COUNT_MAX = 1000;

/** A manifest of one image for one platform. */
export interface ImageManifest {
  readonly kind: "manifest";
  readonly mediaType: string;
  readonly config: Descriptor;
  /** Bottom first. */
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor;
  /** What it is, when it is no image (image-spec 1.1, manifest.md). */
  readonly artifactType?: string;
}

/** A manifest is valid, but nothing that could run: a chart, a signature, an encrypted image. */
export class ArtifactError extends SyntaxError {
  override readonly name = "ArtifactError";
}

/** Manifests, or further indices, to choose from. */
export interface ImageIndex {
  readonly kind: "index";
  readonly mediaType: string;
  readonly entries: readonly ManifestDescriptor[];
  readonly subject?: Descriptor;
}

/**
 * Parses what a registry serves under a tag or a manifest's digest.
 * @param bytes as served: they are what the digest is of
 * @param contentType the type it was served or described with; absent when there is none
 * @throws {SyntaxError} when the document is ambiguous or of an old schema
 * @throws {ArtifactError} when it is no image
 * @throws {RangeError} when it exceeds a limit
 */
export function parseManifest(bytes: Uint8Array, contentType?: string): ImageManifest | ImageIndex {
  const document = parseDocument(bytes, contentType);
  if (document.kind === "manifest") refuseArtifact(document);
  return document;
}

/**
 * Parses a document whose parts are to be kept or handed on, not run: an artifact such as a signature or a chart too.
 * @throws {SyntaxError} {RangeError} as {@link parseManifest}
 */
export function parseDocument(bytes: Uint8Array, contentType?: string): ImageManifest | ImageIndex {
  const document = parseJsonObject(bytes, "manifest");
  const mediaType = documentMediaType(document, contentType);
  const isIndex = manifestKind(mediaType) === "index";
  const foreign = isIndex ? ["config", "layers", "fsLayers"] : ["manifests", "fsLayers"];
  const found = foreign.find((key) => document[key] !== undefined);
  if (found !== undefined) {
    throw new SyntaxError(
      `Cannot read manifest: it is of type ${show(mediaType)} and has the field "${found}" too`,
    );
  }
  return isIndex ? parseIndex(document, mediaType) : parseImage(document, mediaType);
}

/** What came out of {@link chooseManifest}. */
export interface ManifestChoice {
  /** What to look at, best first: a manifest, or indices of which each may turn out to have none; empty when none suits. */
  readonly entries: readonly ManifestDescriptor[];
  /** Platforms that the index has, as `os/architecture[/variant]`, in its order. */
  readonly available: readonly string[];
}

/**
 * Chooses what to look at for a platform: the best match, then the nested indices that may hold one, then the only manifest
 * that names no platform. Attestations and entries of platform `unknown` are never chosen.
 */
export function chooseManifest(index: ImageIndex, wanted: Platform): ManifestChoice {
  const entries = index.entries.filter((entry) => !entry.isAttestation && entry.platform?.os !== "unknown");
  const ofKind = (kind: "index" | "manifest") =>
    entries.filter((entry) => manifestKind(entry.mediaType) === kind);
  const [manifests, indices] = [ofKind("manifest"), ofKind("index")];
  const known = [...manifests, ...indices];
  const position = choosePlatform(
    wanted,
    known.map((entry) => entry.platform),
  );
  const best = position === undefined ? [] : known.slice(position, position + 1);
  const unnamed = manifests.filter((entry) => entry.platform === undefined);
  const nested = indices.filter(
    ({ platform }) => platform === undefined || choosePlatform(wanted, [platform]) === 0,
  );
  const rest = [...nested, ...(unnamed.length === 1 ? unnamed : [])];
  const platforms = manifests.flatMap((entry) =>
    entry.platform === undefined ? [] : [formatPlatform(entry.platform)],
  );
  return { entries: [...new Set([...best, ...rest])], available: [...new Set(platforms)] };
}

function parseIndex(document: JsonObject, mediaType: string): ImageIndex {
  const entries = arrayAt(document["manifests"], "manifests", INDEX_ENTRY_COUNT_MAX);
  return {
    kind: "index",
    mediaType,
    entries: entries.map((entry, index) => parseManifestDescriptor(entry, `manifests[${index}]`)),
    ...subjectOf(document),
  };
}

function parseImage(document: JsonObject, mediaType: string): ImageManifest {
  const layers = arrayAt(document["layers"], "layers", LAYER_COUNT_MAX);
  const artifactType = optionalString(document, "artifactType", "manifest");
  return {
    kind: "manifest",
    mediaType,
    config: parseDescriptor(document["config"], "config"),
    layers: layers.map((layer, index) => parseDescriptor(layer, `layers[${index}]`)),
    ...subjectOf(document),
    ...(artifactType === undefined ? {} : { artifactType }),
  };
}

function subjectOf(document: JsonObject): { readonly subject?: Descriptor } {
  const subject = optionalObject(document, "subject", "manifest");
  return subject === undefined ? {} : { subject: parseDescriptor(subject, "subject") };
}

function refuseArtifact({ config, layers, artifactType = config.mediaType }: ImageManifest): void {
  if (!isImageConfig(config.mediaType)) {
    throw new ArtifactError(
      `Cannot read manifest: ${show(artifactType)} is an artifact, not an image that can run`,
    );
  }
  const odd = layers.find((layer) => !isLayer(layer.mediaType));
  if (odd === undefined) return;
  throw new ArtifactError(
    `Cannot read manifest: a layer of type ${show(odd.mediaType)} is not a file system`,
  );
}

/** The one type that the document's own word, the server's word and its fields agree on. */
function documentMediaType(document: JsonObject, contentType: string | undefined): string {
  const own = optionalString(document, "mediaType", "manifest");
  const served = contentType === undefined ? undefined : knownServedType(contentType);
  if (own !== undefined && served !== undefined && own !== served) {
    throw new SyntaxError(`Cannot read manifest: it says ${show(own)} but was served as ${show(served)}`);
  }
  const mediaType = own ?? served ?? inferredType(document);
  if (document["schemaVersion"] === 1 || manifestKind(mediaType) === "schema1") {
    throw new SyntaxError(
      `Cannot read manifest: it is of Docker's schema 1 (${show(schema1Type(mediaType))}), which registries stopped serving in 2024`,
    );
  }
  if (manifestKind(mediaType) === undefined) {
    throw new SyntaxError(
      `Cannot read manifest: ${show(mediaType)} is neither an image manifest nor an index`,
    );
  }
  return mediaType;
}

/** The document may not say it itself. */
function schema1Type(mediaType: string): string {
  return manifestKind(mediaType) === "schema1" ? mediaType : SCHEMA_1_TYPE;
}

/** A server that has no idea says `application/json` or the like: that contradicts nothing. */
function knownServedType(contentType: string): string | undefined {
  const type = bareMediaType(contentType);
  return manifestKind(type) === undefined ? undefined : type;
}

function inferredType(document: JsonObject): string {
  if (document["manifests"] !== undefined) return OCI_INDEX;
  const layers = Array.isArray(document["layers"]) ? document["layers"] : [];
  return JSON.stringify(layers[0] ?? "").includes("vnd.docker.") ? DOCKER_MANIFEST : OCI_MANIFEST;
}
