/**
 * Makes images in memory: layers from tar entries, a config, a manifest, a multi-platform index. The result is a set of
 * blobs by digest plus the document that a tag names, ready for the fake registry or for an OCI layout on disk.
 * Everything is deterministic, so equal arguments give equal digests.
 */
import { buildTar, type TarEntry, type TarOptions } from "./tar_builder.ts";

/** Media-type family of manifests and layers. */
export type ImageFlavour = "oci" | "docker";

export type LayerCompression = "gzip" | "zstd" | "none";

/** A layer from entries, or from the bytes of any archive. */
export interface LayerSpec extends TarOptions {
  readonly entries?: readonly TarEntry[];
  /** The uncompressed archive, instead of `entries`. */
  readonly tar?: Uint8Array;
  /** [gzip] */
  readonly compression?: LayerCompression;
  /** The blob as it is served, instead of compressing the archive: truncated, with a second member, corrupt. */
  readonly blob?: Uint8Array;
  /** The diff_id in the config, when it shall be wrong. */
  readonly diffId?: string;
  readonly mediaType?: string;
  /** Further fields of the layer's descriptor, such as a wrong `size`, `urls` or `annotations`. */
  readonly descriptor?: Readonly<Record<string, unknown>>;
}

export interface PlatformSpec {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly "os.version"?: string;
}

export interface ImageSpec {
  readonly layers: readonly LayerSpec[];
  /** [linux, and the architecture of this machine] */
  readonly platform?: PlatformSpec;
  /** The `config` object: Env, Entrypoint, Cmd, WorkingDir, User … [Cmd /bin/sh, PATH]. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** [oci] */
  readonly flavour?: ImageFlavour;
  /** Further or replaced top-level fields of the config document. */
  readonly configDocument?: Readonly<Record<string, unknown>>;
  /** Further or replaced top-level fields of the manifest. */
  readonly manifestDocument?: Readonly<Record<string, unknown>>;
}

export interface DescriptorJson {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly [key: string]: unknown;
}

export interface BuiltLayer {
  readonly descriptor: DescriptorJson;
  readonly diffId: string;
  readonly blob: Uint8Array;
}

/** A document that a tag can name, with every blob and child document below it. */
export interface BuiltDocument {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
  readonly digest: string;
  /** Content by digest: config and layers. */
  readonly blobs: ReadonlyMap<string, Uint8Array>;
  /** Documents by digest: this one, and the manifests of an index. */
  readonly manifests: ReadonlyMap<string, ManifestBytes>;
}

export interface ManifestBytes {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

export interface BuiltImage extends BuiltDocument {
  readonly platform: PlatformSpec;
  readonly configDigest: string;
  readonly layers: readonly BuiltLayer[];
}

export interface IndexSpec {
  readonly images: readonly (BuiltImage | BuiltDocument)[];
  readonly flavour?: ImageFlavour;
  /** Whether each image is followed by an attestation entry, as BuildKit writes [false]. */
  readonly attestations?: boolean;
  readonly document?: Readonly<Record<string, unknown>>;
}

const MEDIA_TYPES = {
  oci: {
    index: "application/vnd.oci.image.index.v1+json",
    manifest: "application/vnd.oci.image.manifest.v1+json",
    config: "application/vnd.oci.image.config.v1+json",
    none: "application/vnd.oci.image.layer.v1.tar",
    gzip: "application/vnd.oci.image.layer.v1.tar+gzip",
    zstd: "application/vnd.oci.image.layer.v1.tar+zstd",
  },
  docker: {
    index: "application/vnd.docker.distribution.manifest.list.v2+json",
    manifest: "application/vnd.docker.distribution.manifest.v2+json",
    config: "application/vnd.docker.container.image.v1+json",
    none: "application/vnd.docker.image.rootfs.diff.tar",
    gzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
    zstd: "application/vnd.docker.image.rootfs.diff.tar.zstd",
  },
} as const;

const CREATED = "2023-11-14T22:13:20Z";
const DEFAULT_CONFIG = {
  Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
  Cmd: ["/bin/sh"],
};

/** `"sha256:<64 hex>"` of bytes. */
export function sha256Digest(bytes: Uint8Array): string {
  return `sha256:${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}`;
}

/** The platform that an image without one is built for: linux on this machine's architecture. */
export function hostPlatform(): PlatformSpec {
  return { os: "linux", architecture: process.arch === "x64" ? "amd64" : process.arch };
}

/** Builds one single-platform image. */
export function buildImage(spec: ImageSpec): BuiltImage {
  const flavour = spec.flavour ?? "oci";
  const platform = spec.platform ?? hostPlatform();
  const layers = spec.layers.map((layer) => buildLayer(layer, flavour));
  const config = jsonBytes(configDocument(spec, platform, layers));
  const configDigest = sha256Digest(config);
  const bytes = jsonBytes({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES[flavour].manifest,
    config: { mediaType: MEDIA_TYPES[flavour].config, digest: configDigest, size: config.length },
    layers: layers.map((layer) => layer.descriptor),
    ...spec.manifestDocument,
  });
  const mediaType = MEDIA_TYPES[flavour].manifest;
  const digest = sha256Digest(bytes);
  const blobs = new Map(layers.map((layer) => [layer.descriptor.digest, layer.blob]));
  blobs.set(configDigest, config);
  const manifests = new Map([[digest, { mediaType, bytes }]]);
  return { mediaType, bytes, digest, blobs, manifests, platform, configDigest, layers };
}

/** Builds an index over images, or over other indices. */
export function buildIndex(spec: IndexSpec): BuiltDocument {
  const flavour = spec.flavour ?? "oci";
  const mediaType = MEDIA_TYPES[flavour].index;
  const attestations = spec.attestations === true ? spec.images.map(buildAttestation) : [];
  const entries = spec.images.map((image) => ({
    ...descriptorOf(image),
    ...("platform" in image ? { platform: image.platform } : {}),
  }));
  const bytes = jsonBytes({
    schemaVersion: 2,
    mediaType,
    manifests: [...entries, ...attestations.map((attestation) => attestation.entry)],
    ...spec.document,
  });
  const digest = sha256Digest(bytes);
  const parts = [...spec.images, ...attestations.map((attestation) => attestation.image)];
  return {
    mediaType,
    bytes,
    digest,
    blobs: new Map(parts.flatMap((part) => [...part.blobs])),
    manifests: new Map([
      ...parts.flatMap((part) => [...part.manifests]),
      [digest, { mediaType, bytes }] as const,
    ]),
  };
}

/** Builds one layer: archive, compressed blob, descriptor. */
export function buildLayer(spec: LayerSpec, flavour: ImageFlavour = "oci"): BuiltLayer {
  const tar = spec.tar ?? buildTar(spec.entries ?? [], spec);
  const compression = spec.compression ?? "gzip";
  const blob = spec.blob ?? compress(tar, compression);
  const descriptor = {
    mediaType: spec.mediaType ?? MEDIA_TYPES[flavour][compression],
    digest: sha256Digest(blob),
    size: blob.length,
    ...spec.descriptor,
  };
  return { descriptor, diffId: spec.diffId ?? sha256Digest(tar), blob };
}

/** Compresses an archive in memory; gzip without a time stamp, so that digests are stable. */
export function compress(bytes: Uint8Array, compression: LayerCompression): Uint8Array {
  const input = new Uint8Array(bytes);
  if (compression === "gzip") return Bun.gzipSync(input);
  return compression === "zstd" ? new Uint8Array(Bun.zstdCompressSync(input)) : input;
}

/** The descriptor that names a document. */
export function descriptorOf(document: BuiltDocument): DescriptorJson {
  return { mediaType: document.mediaType, digest: document.digest, size: document.bytes.length };
}

function configDocument(spec: ImageSpec, platform: PlatformSpec, layers: readonly BuiltLayer[]): unknown {
  return {
    created: CREATED,
    ...platform,
    config: spec.config ?? DEFAULT_CONFIG,
    rootfs: { type: "layers", diff_ids: layers.map((layer) => layer.diffId) },
    history: layers.map((_, index) => ({ created: CREATED, created_by: `layer ${index}` })),
    ...spec.configDocument,
  };
}

function buildAttestation(subject: BuiltDocument): { image: BuiltImage; entry: DescriptorJson } {
  const statement = jsonBytes({
    _type: "https://in-toto.io/Statement/v0.1",
    subject: [{ digest: subject.digest }],
  });
  const image = buildImage({
    platform: { os: "unknown", architecture: "unknown" },
    config: {},
    layers: [{ tar: statement, compression: "none", mediaType: "application/vnd.in-toto+json" }],
  });
  const annotations = {
    "vnd.docker.reference.type": "attestation-manifest",
    "vnd.docker.reference.digest": subject.digest,
  };
  return { image, entry: { ...descriptorOf(image), platform: image.platform, annotations } };
}

function jsonBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
