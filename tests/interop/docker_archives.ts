/**
 * Docker's archives by a builder of our own, in both forms: that before version 25, with a directory for each layer, and that
 * since, an OCI layout with manifest.json beside it, whose layers are never compressed.
 */
import type { BuiltImage } from "../helpers/image_builder.ts";
import type { TarEntry } from "../helpers/tar_builder.ts";

/** An image, and what `docker save` was asked to save it as. */
export interface SavedImage {
  readonly image: BuiltImage;
  readonly names: readonly string[];
}

const hex = (digest: string): string => digest.slice("sha256:".length);
const json = (name: string, value: unknown): TarEntry => ({ name, data: JSON.stringify(value) });
const OCI_INDEX = "application/vnd.oci.image.index.v1+json";

/** As docker wrote until version 24: a second layer of the same content is a link to the first. */
export function oldArchive(images: readonly SavedImage[]): TarEntry[] {
  const first = new Map<string, string>();
  const layerEntries = images.flatMap(({ image }, at) =>
    image.layers.flatMap(({ diffId, blob }, layer): TarEntry[] => {
      const directory = `${hex(diffId).slice(0, 40)}${at}${layer}`;
      const present = first.get(diffId);
      first.set(diffId, present ?? directory);
      const name = `${directory}/layer.tar`;
      return [
        { name: `${directory}/` },
        json(`${directory}/json`, { id: directory, os: "linux" }),
        present === undefined
          ? { name, data: blob }
          : { name, type: "symlink", link: `../${present}/layer.tar` },
        { name: `${directory}/VERSION`, data: "1.0" },
      ];
    }),
  );
  const manifest = images.map(({ image, names }, at) => ({
    Config: `${hex(image.configDigest)}.json`,
    RepoTags: names.length === 0 ? null : names,
    Layers: image.layers.map(({ diffId }, layer) => `${hex(diffId).slice(0, 40)}${at}${layer}/layer.tar`),
  }));
  return [
    ...layerEntries,
    ...configs(images, (digest) => `${digest}.json`),
    json("manifest.json", manifest),
    json("repositories", {}),
  ];
}

/** As docker writes since version 25. @param options.index the list of index.json, when it shall be another */
export function newArchive(
  images: readonly SavedImage[],
  options: { readonly index?: unknown } = {},
): TarEntry[] {
  const blobs = new Map(
    images.flatMap(({ image }) => [...image.blobs, [image.digest, image.bytes] as const]),
  );
  const manifests = images.flatMap(({ image, names }) => {
    const descriptor = { mediaType: image.mediaType, digest: image.digest, size: image.bytes.length };
    const annotated = names.map((name) => ({
      ...descriptor,
      annotations: {
        "io.containerd.image.name": name,
        "org.opencontainers.image.ref.name": name.split(":").at(-1),
      },
    }));
    return annotated.length === 0 ? [descriptor] : annotated;
  });
  const manifest = images.map(({ image, names }) => ({
    Config: `blobs/sha256/${hex(image.configDigest)}`,
    RepoTags: names.length === 0 ? null : names,
    Layers: image.layers.map(({ descriptor }) => `blobs/sha256/${hex(descriptor.digest)}`),
    LayerSources: Object.fromEntries(image.layers.map(({ diffId, descriptor }) => [diffId, descriptor])),
  }));
  const { index = manifests } = options;
  return [
    { name: "blobs/" },
    { name: "blobs/sha256/" },
    ...[...blobs].map(([digest, data]) => ({ name: `blobs/sha256/${hex(digest)}`, data })),
    json("index.json", { schemaVersion: 2, mediaType: OCI_INDEX, manifests: index }),
    json("manifest.json", manifest),
    json("oci-layout", { imageLayoutVersion: "1.0.0" }),
    json("repositories", {}),
  ];
}

function configs(images: readonly SavedImage[], nameOf: (digest: string) => string): TarEntry[] {
  const distinct = new Map(
    images.map(({ image }) => [image.configDigest, image.blobs.get(image.configDigest)]),
  );
  return [...distinct].map(([digest, data]) => ({ name: nameOf(hex(digest)), data: data ?? "" }));
}
