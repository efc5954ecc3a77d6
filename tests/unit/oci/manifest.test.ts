import { describe, expect, test } from "bun:test";
import { DOCUMENT_BYTES_MAX } from "../../../src/oci/json.ts";
import {
  chooseManifest,
  type ImageIndex,
  type ManifestChoice,
  parseManifest,
} from "../../../src/oci/manifest.ts";
import { DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST } from "../../../src/oci/media_type.ts";
import { parsePlatform } from "../../../src/oci/platform.ts";
import { buildImage, buildIndex, descriptorOf } from "../../helpers/image_builder.ts";

const DIGEST = `sha256:${"a1".repeat(32)}`;
const LAYER = { mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest: DIGEST, size: 10 };
const CONFIG = { mediaType: "application/vnd.oci.image.config.v1+json", digest: DIGEST, size: 10 };
const MANIFEST = { schemaVersion: 2, mediaType: OCI_MANIFEST, config: CONFIG, layers: [LAYER] };

describe("parseManifest()", () => {
  test.each(["oci", "docker"] as const)("reads a manifest of the %s types", (flavour) => {
    const image = buildImage({
      flavour,
      layers: [{ entries: [{ name: "a" }] }, { entries: [{ name: "b" }] }],
    });

    const manifest = parseManifest(image.bytes, image.mediaType);

    expect(manifest).toMatchObject({ kind: "manifest", mediaType: image.mediaType });
    expect(manifest.kind === "manifest" && manifest.layers.map((layer) => `${layer.digest}`)).toEqual(
      image.layers.map((layer) => layer.descriptor.digest),
    );
  });

  test("infers the type of a document that names none", () => {
    const { mediaType: _, ...nameless } = MANIFEST;

    expect(parseManifest(bytes(nameless)).mediaType).toBe(OCI_MANIFEST);
    expect(parseManifest(bytes(nameless), "application/json").mediaType).toBe(OCI_MANIFEST);
    expect(parseManifest(bytes({ schemaVersion: 2, manifests: [] })).mediaType).toBe(OCI_INDEX);
  });

  test("ignores parameters of the Content-Type", () => {
    expect(parseManifest(bytes(MANIFEST), `${OCI_MANIFEST}; charset=utf-8`).kind).toBe("manifest");
  });

  test.each([
    ["manifests beside layers", { ...MANIFEST, manifests: [] }, undefined],
    ["layers in an index", { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [], layers: [] }, undefined],
    ["a Content-Type that differs", MANIFEST, DOCKER_MANIFEST],
    [
      "an index served as a manifest",
      { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] },
      OCI_MANIFEST,
    ],
    ["schema 1", { schemaVersion: 1, fsLayers: [] }, undefined],
    ["schema 1 by type", {}, "application/vnd.docker.distribution.manifest.v1+prettyjws"],
    ["fsLayers beside layers", { ...MANIFEST, fsLayers: [] }, undefined],
    ["an unknown type", { ...MANIFEST, mediaType: "text/plain" }, undefined],
    [
      "an artifact",
      { ...MANIFEST, config: { ...CONFIG, mediaType: "application/vnd.oci.empty.v1+json" } },
      undefined,
    ],
    [
      "an encrypted layer",
      { ...MANIFEST, layers: [{ ...LAYER, mediaType: `${LAYER.mediaType}+encrypted` }] },
      undefined,
    ],
    ["a bad digest", { ...MANIFEST, layers: [{ ...LAYER, digest: "sha256:../../x" }] }, undefined],
    ["a negative size", { ...MANIFEST, layers: [{ ...LAYER, size: -1 }] }, undefined],
    ["a fractional size", { ...MANIFEST, layers: [{ ...LAYER, size: 1.5 }] }, undefined],
    ["a size above 2^53", { ...MANIFEST, layers: [{ ...LAYER, size: 1e300 }] }, undefined],
    ["layers that are no array", { ...MANIFEST, layers: {} }, undefined],
    ["a missing config", { ...MANIFEST, config: undefined }, undefined],
    ["an array", [], undefined],
    ["null", null, undefined],
  ])("refuses %s", (_, document, contentType) => {
    expect(() => parseManifest(bytes(document), contentType)).toThrow(SyntaxError);
  });

  test("refuses what is not JSON, not UTF-8, or nested a million deep", () => {
    for (const text of ["<html>", '{"a":', "[".repeat(1_000_000) + "]".repeat(1_000_000)]) {
      expect(() => parseManifest(new TextEncoder().encode(text))).toThrow(SyntaxError);
    }
    expect(() => parseManifest(new Uint8Array([0x7b, 0xff, 0x7d]))).toThrow(SyntaxError);
  });

  test("throws nothing but SyntaxError and RangeError for documents with any field replaced", () => {
    const index = JSON.parse(
      new TextDecoder().decode(buildIndex({ images: [image("linux/amd64")], attestations: true }).bytes),
    );

    const thrown = [MANIFEST, index].flatMap(replacements).flatMap((document) => thrownBy(document));

    expect(thrown.length).toBeGreaterThan(100);
    expect(thrown.filter((error) => !(error instanceof SyntaxError || error instanceof RangeError))).toEqual(
      [],
    );
  });

  test("refuses more than 4 MiB and more than 500 layers", () => {
    const tooManyLayers = { ...MANIFEST, layers: Array.from({ length: 501 }, () => LAYER) };

    expect(() => parseManifest(new Uint8Array(DOCUMENT_BYTES_MAX + 1))).toThrow(RangeError);
    expect(() => parseManifest(bytes(tooManyLayers))).toThrow(RangeError);
  });
});

describe("chooseManifest()", () => {
  const amd64 = image("linux/amd64");
  const arm64 = image("linux/arm64");

  test("takes the entry of the platform and skips attestations", () => {
    const index = indexOf(buildIndex({ images: [arm64, amd64], attestations: true }).bytes);

    const choice = chooseManifest(index, parsePlatform("linux/amd64"));

    expect(digestsOf(choice)).toEqual([amd64.digest]);
    expect(choice.available).toEqual(["linux/arm64", "linux/amd64"]);
  });

  test("lists what there is when nothing suits", () => {
    const index = indexOf(buildIndex({ images: [arm64, amd64], attestations: true }).bytes);

    const choice = chooseManifest(index, parsePlatform("linux/s390x"));

    expect(choice).toEqual({ entries: [], available: ["linux/arm64", "linux/amd64"] });
  });

  test("descends into a nested index only when no entry suits", () => {
    const nested = buildIndex({ images: [amd64] });
    const index = indexOf(buildIndex({ images: [nested, arm64] }).bytes);

    expect(digestsOf(chooseManifest(index, parsePlatform("linux/amd64")))).toEqual([nested.digest]);
    expect(digestsOf(chooseManifest(index, parsePlatform("linux/arm64")))[0]).toBe(arm64.digest);
  });

  test("takes of nested indices those of the platform first, then those that name none, and no others", () => {
    const nested = ["amd64", "arm64", "s390x"].map((name) =>
      buildIndex({ images: [image(`linux/${name}`)] }),
    );
    const [mine, unnamed, other] = nested.map(descriptorOf);
    const manifests = [
      { ...other, platform: { os: "linux", architecture: "s390x" } },
      unnamed,
      { ...mine, platform: { os: "linux", architecture: "amd64" } },
    ];
    const index = indexOf(bytes({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }));

    const found = digestsOf(chooseManifest(index, parsePlatform("linux/amd64")));

    expect(found).toEqual([mine?.digest, unnamed?.digest] as string[]);
  });

  test("takes the only entry without a platform, but not one of two", () => {
    const entry = { mediaType: OCI_MANIFEST, digest: DIGEST, size: 1 };
    const one = indexOf(bytes({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [entry] }));
    const two = indexOf(bytes({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [entry, entry] }));

    expect(digestsOf(chooseManifest(one, parsePlatform("linux/amd64")))).toEqual([DIGEST]);
    expect(digestsOf(chooseManifest(two, parsePlatform("linux/amd64")))).toEqual([]);
  });
});

const digestsOf = ({ entries }: ManifestChoice): string[] => entries.map(({ digest }) => `${digest}`);

/** The document with each value in it, at any depth, replaced by each of some unfit ones. */
function replacements(value: unknown): unknown[] {
  const unfit = [null, 0, -1, 1e308, "", "\0", "sha256:../x", [], [[]], {}, { __proto__: null }, true];
  if (typeof value !== "object" || value === null) return unfit;
  const inner = Object.entries(value).flatMap(([key, child]) =>
    replacements(child).map((other) =>
      Array.isArray(value) ? value.with(Number(key), other) : { ...value, [key]: other },
    ),
  );
  return [...unfit, ...inner];
}

function thrownBy(document: unknown): unknown[] {
  try {
    const manifest = parseManifest(bytes(document));
    if (manifest.kind === "index") chooseManifest(manifest, parsePlatform("linux/amd64"));
    return [];
  } catch (error) {
    return [error];
  }
}

function image(platform: string) {
  return buildImage({ platform: parsePlatform(platform), layers: [{ entries: [{ name: platform }] }] });
}

function indexOf(document: Uint8Array): ImageIndex {
  const index = parseManifest(document);
  if (index.kind !== "index") throw new Error("expected an index");
  return index;
}

function bytes(document: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(document));
}
