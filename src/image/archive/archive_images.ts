/**
 * Finds the images of an archive: by index.json of an OCI layout, otherwise by docker's manifest.json, for which a
 * manifest is made. Names come from both.
 */
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { type Digest, digestOfBytes } from "../../oci/digest.ts";
import { findForPlatform } from "../../oci/find_platform.ts";
import { parseImageConfig } from "../../oci/image_config.ts";
import {
  arrayAt,
  DOCUMENT_BYTES_MAX,
  type JsonObject,
  objectAt,
  optionalObject,
  optionalString,
  parseJsonObject,
  show,
  stringAt,
  stringsAt,
} from "../../oci/json.ts";
import { checkLayoutVersion } from "../../oci/layout_version.ts";
import {
  type ImageIndex,
  type ImageManifest,
  INDEX_ENTRY_COUNT_MAX,
  LAYER_COUNT_MAX,
  parseManifest,
} from "../../oci/manifest.ts";
import { OCI_CONFIG, OCI_MANIFEST } from "../../oci/media_type.ts";
import { hostPlatform, type Platform } from "../../oci/platform.ts";
import { parseReference, type Reference } from "../../oci/reference.ts";
import type { ResolvedImage } from "../../registry/client.ts";
import { isOfPlatform } from "../../store/find_image.ts";
import { OtherPlatformError } from "./platform_error.ts";
import { ArchiveError, type ArchiveFile, type ArchiveFiles, archiveError } from "./read_archive.ts";

/** An image of an archive, ready to be stored under each of its names. */
export interface LoadableImage {
  readonly names: readonly Reference[];
  readonly resolved: Omit<ResolvedImage, "reference">;
}

/** Most names of one image. */
const NAMES_MAX = 1000;
/** Bytes of a document that are looked at for its kind. */
const HEAD_LENGTH = 100;

/**
 * @param platform of an index this one's image is taken, and no image of another [this machine's, and every image]
 * @throws {ArchiveError} when there is none, or one is not whole
 * @throws {OtherPlatformError} when there is none for the platform
 */
export async function findImages(files: ArchiveFiles, platform?: Platform): Promise<LoadableImage[]> {
  try {
    const single = directoryImage(files);
    if (single !== undefined) return [...ofPlatform([single], platform)];
    const docker = dockerEntries(files);
    const layout = await layoutImages(files, platform ?? hostPlatform());
    const images = layout.length > 0 ? layout : docker.map((entry) => dockerImage(files, entry));
    if (images.length === 0) throw archiveError("it has neither index.json nor manifest.json with an image");
    return ofPlatform(images, platform).map((image) => withNames(image, docker, files));
  } catch (cause) {
    if (cause instanceof OtherPlatformError) throw cause;
    throw cause instanceof ArchiveError ? cause : archiveError("a document in it is not valid", cause);
  }
}

function ofPlatform(
  images: readonly LoadableImage[],
  platform: Platform | undefined,
): readonly LoadableImage[] {
  if (platform === undefined) return images;
  const platformOf = ({ resolved }: LoadableImage): Platform => resolved.config.platform;
  const found = images.filter((image) => isOfPlatform(platformOf(image), platform));
  if (found.length === 0)
    throw new OtherPlatformError("Cannot load the archive", platform, images.map(platformOf));
  return found;
}

/**
 * The image of a directory as skopeo's "dir:" and `podman save --format docker-dir` write it: its manifest.json is the
 * manifest itself, and blobs are named by the digits of their digests.
 */
function directoryImage(files: ArchiveFiles): LoadableImage | undefined {
  const file = files.find("manifest.json");
  if (file === undefined || files.find("index.json") !== undefined) return undefined;
  const bytes = readDocument(file, "manifest.json");
  // Docker's document of the same name is a list.
  if (!/^\s*\{/.test(Buffer.from(bytes.subarray(0, HEAD_LENGTH)).toString("latin1"))) return undefined;
  const manifest = parseManifest(bytes);
  if (manifest.kind !== "manifest") throw archiveError("its manifest.json is an index");
  // By content: names have not been compared with digests here.
  const config = files.all.find(({ digest }) => digest === manifest.config.digest);
  if (config === undefined) throw archiveError("its configuration is missing");
  return resolve(files, { bytes, configBytes: readDocument(config, "the configuration"), names: [] });
}

/** The names that docker's manifest.json knows for an image, besides its own. */
function withNames(image: LoadableImage, docker: readonly DockerEntry[], files: ArchiveFiles): LoadableImage {
  const { digest } = image.resolved.manifest.config;
  const tags = docker
    .filter(({ config }) => files.find(config)?.digest === digest)
    .flatMap(({ tags: names }) => names.map((name) => honestName(name, [image.resolved.manifestDigest])));
  const all = [...image.names, ...tags].map((name) => [JSON.stringify(name), name] as const);
  return { ...image, names: [...new Map(all).values()] };
}

interface DockerEntry {
  readonly config: string;
  readonly tags: readonly string[];
  readonly layers: readonly string[];
}

function dockerEntries(files: ArchiveFiles): DockerEntry[] {
  const file = files.find("manifest.json");
  if (file === undefined) return [];
  // The document is a list, which the parser of documents does not take.
  const text = `{"images":${Buffer.from(readDocument(file, "manifest.json")).toString("utf8")}}`;
  const { images } = parseJsonObject(Buffer.from(text), "manifest.json");
  return arrayAt(images, "manifest.json", INDEX_ENTRY_COUNT_MAX).map((value, at) => {
    const path = `manifest.json[${at}]`;
    const object = objectAt(value, path);
    return {
      config: stringAt(object["Config"], `${path}.Config`),
      tags: stringsAt(object["RepoTags"], `${path}.RepoTags`, NAMES_MAX),
      layers: stringsAt(object["Layers"], `${path}.Layers`, LAYER_COUNT_MAX),
    };
  });
}

function dockerImage(files: ArchiveFiles, { config, layers }: DockerEntry): LoadableImage {
  const configFile = get(files, config);
  const configBytes = readDocument(configFile, config);
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: { mediaType: OCI_CONFIG, digest: configFile.digest, size: configFile.sizeBytes },
    layers: layers.map((name) => {
      const file = get(files, name);
      return { mediaType: layerType(file), digest: file.digest, size: file.sizeBytes };
    }),
  };
  return resolve(files, { bytes: Buffer.from(JSON.stringify(manifest)), configBytes, names: [] });
}

/** OCI's name of a layer's compression, by its first bytes. */
function layerType({ path }: ArchiveFile): string {
  const base = "application/vnd.oci.image.layer.v1.tar";
  const head = readHead(path);
  if (head[0] === 0x1f && head[1] === 0x8b) return `${base}+gzip`;
  return head.equals(Buffer.from([0x28, 0xb5, 0x2f, 0xfd])) ? `${base}+zstd` : base;
}

function readHead(path: string): Buffer {
  const head = Buffer.alloc(4);
  const fd = openSync(path, "r");
  try {
    readSync(fd, head, 0, head.length, 0);
    return head;
  } finally {
    closeSync(fd);
  }
}

async function layoutImages(files: ArchiveFiles, platform: Platform): Promise<LoadableImage[]> {
  const file = files.find("index.json");
  const version = files.find("oci-layout");
  if (file === undefined || version === undefined) return [];
  checkLayoutVersion(readDocument(version, "oci-layout"));
  const index = parseJsonObject(readDocument(file, "index.json"), "index.json");
  // docker has written archives whose list is null: manifest.json tells what is in them.
  const entries = arrayAt(index["manifests"], "index.json.manifests", INDEX_ENTRY_COUNT_MAX);
  const byDigest = new Map<Digest, LoadableImage>();
  for (const [at, value] of entries.entries()) {
    const entry = objectAt(value, `index.json.manifests[${at}]`);
    const image = await layoutImage(files, entry, { at, platform });
    if (image === undefined) continue;
    const known = byDigest.get(image.resolved.manifestDigest);
    byDigest.set(image.resolved.manifestDigest, {
      ...image,
      names: [...(known?.names ?? []), ...image.names],
    });
  }
  return [...byDigest.values()];
}

/** @returns undefined for an index of which the archive has no image for the platform */
async function layoutImage(
  files: ArchiveFiles,
  entry: JsonObject,
  { at, platform }: { readonly at: number; readonly platform: Platform },
): Promise<LoadableImage | undefined> {
  const path = `index.json.manifests[${at}]`;
  const { found, indices } = await findForPlatform({
    top: readPart(files, stringAt(entry["digest"], `${path}.digest`)),
    platform,
    read: ({ digest }) => readPart(files, digest),
    tooMany: (what) => archiveError(`an image in it has more than ${what}`),
  });
  if (found?.content.kind !== "manifest") return undefined;
  const configBytes = readBlob(files, found.content.config.digest);
  // An honest name may hold any digest on the way.
  const digests = [...indices, found].map(({ digest }) => digest);
  return resolve(files, { bytes: found.bytes, configBytes, names: namesOf(entry, { path, digests }) });
}

interface Part {
  readonly digest: string;
  readonly bytes: Uint8Array;
  readonly content: ImageManifest | ImageIndex;
}

/** A document of a layout; of an index the entries that are there: it names platforms whose content was left out. */
function readPart(files: ArchiveFiles, digest: string): Part {
  const bytes = readBlob(files, digest);
  const content = parseManifest(bytes);
  if (content.kind === "manifest") return { digest, bytes, content };
  const entries = content.entries.filter((each) => files.find(blobName(each.digest)) !== undefined);
  return { digest, bytes, content: { ...content, entries } };
}

/** containerd's annotation has the whole name, OCI's in most cases the tag alone, which names nothing by itself. */
function namesOf(
  entry: JsonObject,
  { path, digests }: { readonly path: string; readonly digests: readonly string[] },
): Reference[] {
  const annotations = optionalObject(entry, "annotations", path) ?? {};
  const whole = optionalString(annotations, "io.containerd.image.name", path);
  if (whole !== undefined) return [honestName(whole, digests)];
  const name = optionalString(annotations, "org.opencontainers.image.ref.name", path);
  return name === undefined || !/[/:]/.test(name) ? [] : [honestName(name, digests)];
}

/** @throws {ArchiveError} for a name with the digest of something else: whoever runs it by that name relies on it */
function honestName(text: string, digests: readonly string[]): Reference {
  const name = parseReference(text);
  if (name.digest === undefined || digests.includes(name.digest)) return name;
  throw archiveError(`an image in it is named ${show(text)}, and has the digest "${digests.at(-1)}"`);
}

interface Documents {
  readonly bytes: Uint8Array;
  readonly configBytes: Uint8Array;
  readonly names: readonly Reference[];
}

function resolve(files: ArchiveFiles, { bytes, configBytes, names }: Documents): LoadableImage {
  const manifest = parseManifest(bytes);
  if (manifest.kind !== "manifest") throw archiveError("a manifest in it is an index");
  const here = new Set(files.all.map((file) => file.digest));
  const missing = manifest.layers.find(({ digest }) => !here.has(digest));
  if (missing !== undefined) throw archiveError(`the layer ${missing.digest} is missing`);
  const digest = digestOfBytes(bytes);
  return {
    names,
    resolved: {
      targetDigest: digest,
      indices: [],
      manifestDocument: { digest, mediaType: manifest.mediaType, bytes },
      manifestDigest: digest,
      manifest,
      configBytes,
      config: parseImageConfig(configBytes, manifest.layers.length),
      isOtherPlatform: false,
    },
  };
}

const blobName = (digest: string): string => `blobs/${digest.replace(":", "/")}`;

function get(files: ArchiveFiles, name: string): ArchiveFile {
  const file = files.find(name);
  if (file === undefined) throw archiveError(`the entry ${JSON.stringify(name)} is missing`);
  return file;
}

/** A document by its digest: its name in the archive may be a link to another file. */
function readBlob(files: ArchiveFiles, digest: string): Uint8Array {
  const name = blobName(digest);
  const file = get(files, name);
  if (file.digest === digest) return readDocument(file, name);
  throw archiveError(`the entry ${JSON.stringify(name)} has the digest "${file.digest}"`);
}

/** @throws {ArchiveError} before reading what is larger than any document */
function readDocument({ path, sizeBytes }: ArchiveFile, name: string): Uint8Array {
  if (sizeBytes > DOCUMENT_BYTES_MAX) {
    throw archiveError(`entry ${JSON.stringify(name)} is too large: ${sizeBytes} bytes of JSON`);
  }
  return readFileSync(path);
}
