/**
 * Media types of manifests, configs and layers, Docker's and OCI's (image-spec, media-types.md). What a layer really is
 * its first bytes decide, since registries mislabel: its media type only rules out what is no file system at all.
 */

/** The types that are read: OCI's, then Docker's. */
export const OCI_INDEX = "application/vnd.oci.image.index.v1+json";
export const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
export const OCI_CONFIG = "application/vnd.oci.image.config.v1+json";
export const DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json";
export const DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
export const DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json";

/** Value of the Accept header: without the OCI types a registry answers 404 for an OCI image. */
export const ACCEPTED_MANIFESTS = [OCI_INDEX, OCI_MANIFEST, DOCKER_INDEX, DOCKER_MANIFEST].join(", ");

const SCHEMA_1: readonly string[] = [
  "application/vnd.docker.distribution.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v1+prettyjws",
];

const LAYER =
  /^application\/vnd\.(?:oci\.image\.layer\.|docker\.image\.rootfs\.)[a-z.0-9]*tar(?:[.+](?:gzip|zstd))?$/;

const FOREIGN_LAYER =
  /^application\/vnd\.(?:oci\.image\.layer\.nondistributable|docker\.image\.rootfs\.foreign)\./;

/** What a media type says about a document with manifests in it. */
export type ManifestKind = "index" | "manifest" | "schema1";

/** The kind that a media type names; undefined for any other type. Parameters such as `; charset` are ignored. */
export function manifestKind(mediaType: string): ManifestKind | undefined {
  const type = bareMediaType(mediaType);
  if (type === OCI_INDEX || type === DOCKER_INDEX) return "index";
  if (type === OCI_MANIFEST || type === DOCKER_MANIFEST) return "manifest";
  return SCHEMA_1.includes(type) ? "schema1" : undefined;
}

/** True for the config of an image that can be run; false for Helm charts, signatures and other artifacts. */
export function isImageConfig(mediaType: string): boolean {
  return mediaType === OCI_CONFIG || mediaType === DOCKER_CONFIG;
}

/** True for a tar archive, compressed or not; false for encrypted layers and attestations. */
export function isLayer(mediaType: string): boolean {
  return LAYER.test(mediaType);
}

/** True for a layer whose licence forbids to hand it on: it may lie with its publisher alone. */
export function isForeignLayer(mediaType: string): boolean {
  return FOREIGN_LAYER.test(mediaType);
}

/** The media type in lower case without parameters. */
export function bareMediaType(mediaType: string): string {
  return (mediaType.split(";", 1)[0] ?? "").trim().toLowerCase();
}
