/** Registries that lie: documents of two meanings, digests that are paths, pins that nobody looks at, credentials asked for. */
import { describe, expect } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { HostWatch } from "../../helpers/hostile_archive.ts";
import {
  type BuiltDocument,
  type BuiltImage,
  buildImage,
  buildIndex,
  sha256Digest,
} from "../../helpers/image_builder.ts";
import { PULL_NEEDS, PullPlace, refusalOf } from "../../helpers/pull_place.ts";
import { corrupt, MANIFESTS, mapBody, status } from "../../helpers/registry_faults.ts";
import { kernelTest, type Sandbox } from "../../helpers/sandbox.ts";

const good = buildImage({ layers: [{ entries: [{ name: "good" }] }] });
const app = buildImage({ layers: [{ entries: [{ name: "app" }] }] });
const [layer] = app.layers;
const DOCUMENT_BYTES_MAX = 4 << 20;

/** A document with these top-level fields beside, or in place of, its own. */
function altered(image: BuiltDocument, fields: Readonly<Record<string, unknown>>): BuiltDocument {
  const document = { ...JSON.parse(Buffer.from(image.bytes).toString()), ...fields };
  const bytes = Buffer.from(JSON.stringify(document));
  const digest = sha256Digest(bytes);
  const mediaType = image.mediaType;
  return { ...image, bytes, digest, manifests: new Map([[digest, { mediaType, bytes }]]) };
}
const manifestWith = (fields: Readonly<Record<string, unknown>>): BuiltDocument => altered(app, fields);
const withLayerDigest = (digest: string) => manifestWith({ layers: [{ ...layer?.descriptor, digest }] });
const withConfigDigest = (digest: string) =>
  manifestWith({ config: { mediaType: "application/vnd.oci.image.config.v1+json", digest, size: 10 } });

type Row = readonly [id: string, what: string, document: () => BuiltDocument, message: RegExp];

const NO_DIGEST = /digest/;
const rows: readonly Row[] = [
  [
    "CVE-2021-41190",
    "a manifest that is an index as well",
    () => manifestWith({ manifests: [] }),
    /Cannot read manifest: it is of type ".+" and has the field "manifests" too/,
  ],
  [
    "CVE-2021-41190",
    "an index that has layers",
    () => altered(buildIndex({ images: [app] }), { layers: [], config: {} }),
    /Cannot read manifest: it is of type ".+" and has the field "config" too/,
  ],
  [
    "CVE-2021-41190",
    "a manifest whose media type is another one within than without",
    () => manifestWith({ mediaType: "application/vnd.oci.image.index.v1+json" }),
    /Cannot read manifest: it says ".+index.+" but was served as ".+manifest.+"/,
  ],
  [
    "CVE-2024-3727",
    "a layer's digest that is a path",
    () => withLayerDigest("sha256:../../../../victim"),
    NO_DIGEST,
  ],
  [
    "CVE-2024-3727",
    "a layer's digest with a path behind it",
    () => withLayerDigest(`${layer?.descriptor.digest}/../victim`),
    NO_DIGEST,
  ],
  [
    "CVE-2024-3727",
    "a configuration's digest that is a path",
    () => withConfigDigest("sha256:../../victim"),
    NO_DIGEST,
  ],
  [
    "CVE-2024-3727",
    "a digest of an algorithm that is a path",
    () => withLayerDigest(`../etc:${"0".repeat(64)}`),
    NO_DIGEST,
  ],
  [
    "CVE-2024-3727",
    "a manifest's digest in an index that is a path",
    () =>
      altered(buildIndex({ images: [app] }), {
        manifests: [{ mediaType: app.mediaType, digest: "sha256:../..", size: 3 }],
      }),
    NO_DIGEST,
  ],
  [
    "CVE-2023-25153",
    "a manifest of 5 MiB",
    () => manifestWith({ annotations: { x: "x".repeat(DOCUMENT_BYTES_MAX + (1 << 20)) } }),
    /larger|too large|more than|bytes/,
  ],
];

describe("a registry that sends", () => {
  for (const [id, what, document, message] of rows) {
    kernelTest(`${id}: ${what}, is refused`, PULL_NEEDS, async (sandbox) => {
      const { said } = await refusedPull(sandbox, { image: document() });

      expect(said).toMatch(message);
    });
  }

  kernelTest(
    "CVE-2025-24882: another manifest than the pinned one, is refused",
    PULL_NEEDS,
    async (sandbox) => {
      const { said } = await refusedPull(sandbox, {
        image: app,
        name: (place) => `${place.name("attack")}@${app.digest}`,
        prepare: (place) => place.registry.break(mapBody({ on: MANIFESTS }, () => good.bytes)),
      });

      expect(said).toBe(`Cannot use manifest "${app.digest}": the registry sent "${good.digest}"`);
    },
  );

  kernelTest("CVE-2025-24882: another blob than the named one, is refused", PULL_NEEDS, async (sandbox) => {
    const { said } = await refusedPull(sandbox, {
      image: app,
      prepare: (place) =>
        place.registry.break(corrupt({ on: new RegExp(layer?.descriptor.digest ?? ""), at: 20 })),
    });

    expect(said).toMatch(/sha256:|decompress/);
  });

  kernelTest(
    "CVE-2020-15157: a layer that lies elsewhere, gets no credentials there",
    PULL_NEEDS,
    async (sandbox) => {
      const foreign = foreignImage();
      await using elsewhere = new PullPlace(sandbox, {});
      const image = foreign(elsewhere.registry.url);
      elsewhere.registry.break(status(401, { headers: { "WWW-Authenticate": `Basic realm="x"` } }));

      const { said } = await refusedPull(sandbox, {
        image,
        // A login for either of them.
        logins: (place) => [place.registry.host, elsewhere.registry.host],
      });

      expect(said).toMatch(/unauthorized|denies|members|credentials/i);
      const asked = elsewhere.registry.requests;
      expect(asked.length).toBeGreaterThan(0);
      expect(asked.filter(({ headers }) => "authorization" in headers || "cookie" in headers)).toEqual([]);
    },
  );

  kernelTest(
    "CVE-2021-20291: a layer of xz, is refused and keeps no lock from the next",
    PULL_NEEDS,
    async (sandbox) => {
      const xz = Buffer.concat([Buffer.from("fd377a585a000004", "hex"), Buffer.alloc(500)]);
      const tar = new Uint8Array(1024);
      const hostile = buildImage({ layers: [{ tar, blob: xz }] });
      await using place = new PullPlace(sandbox, { "attack:latest": hostile });
      const first = await Promise.all(
        [1, 2, 3].map(() => place.bunker(["pull", "-q", place.name("attack")])),
      );
      place.registry.add("attack:latest", buildImage({ layers: [{ tar }] }));

      const second = await place.bunker(["pull", "-q", place.name("attack")]);

      for (const result of first)
        expect(refusalOf(result).because.join()).toContain("Cannot decompress layer: xz is not supported");
      expect(second).toMatchObject({ exitCode: 0, stderr: "" });
    },
  );
});

/** An image whose layer is at a URL of another server. */
function foreignImage(): (origin: string) => BuiltDocument {
  return (origin) => {
    const urls = [`${origin}/secret/layer`];
    const mediaType = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    const image = buildImage({
      flavour: "docker",
      layers: [{ entries: [{ name: "foreign" }], mediaType, descriptor: { urls } }],
    });
    const blobs = new Map(
      [...image.blobs].filter(([digest]) => digest !== image.layers[0]?.descriptor.digest),
    );
    return { ...(image as BuiltImage), blobs };
  };
}

interface Attempt {
  readonly image: BuiltDocument;
  readonly name?: (place: PullPlace) => string;
  readonly prepare?: (place: PullPlace) => void;
  /** Registries for which docker's config.json has a login. */
  readonly logins?: (place: PullPlace) => readonly string[];
}

/** Pulls beside a good image, which is all that the store holds before and after. */
async function refusedPull(
  sandbox: Sandbox,
  { image, name, prepare, logins }: Attempt,
): Promise<{ said: string }> {
  await using place = new PullPlace(sandbox, { "good:latest": good, "attack:latest": image });
  const host = new HostWatch(sandbox);
  await place.pull("good");
  const before = place.content();
  prepare?.(place);

  const words = ["pull", "-q", name?.(place) ?? place.name("attack")];
  const env = { DOCKER_CONFIG: writeLogins(sandbox, logins?.(place) ?? []) };
  const refusal = refusalOf(await place.bunker(words, { cwd: host.outside, env, timeoutMs: 30_000 }));

  expect({ exitCode: refusal.exitCode, stdout: refusal.stdout }).toEqual({ exitCode: 125, stdout: "" });
  expect(place.content()).toEqual(before);
  host.expectUnchanged();
  return { said: [refusal.message, ...refusal.because].join("\n") };
}

/** @returns the directory of docker's config.json */
function writeLogins({ directory }: Sandbox, registries: readonly string[]): string {
  const path = `${directory}/docker`;
  mkdirSync(path);
  const auth = Buffer.from("me:secret").toString("base64");
  const auths = Object.fromEntries(registries.map((registry) => [registry, { auth }]));
  writeFileSync(`${path}/config.json`, JSON.stringify({ auths }));
  return path;
}
