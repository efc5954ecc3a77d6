/** Archives of images that lie about what is in them: load refuses them, and neither store nor host is another afterwards. */
import { describe, expect } from "bun:test";
import { dockerEntries, HostWatch, layoutEntries } from "../../helpers/hostile_archive.ts";
import { buildImage, descriptorOf, sha256Digest } from "../../helpers/image_builder.ts";
import { PULL_NEEDS, PullPlace, refusalOf } from "../../helpers/pull_place.ts";
import { kernelTest } from "../../helpers/sandbox.ts";
import { buildTar, type TarEntry } from "../../helpers/tar_builder.ts";
import { bytesOf } from "../../helpers/tar_header.ts";

const good = buildImage({ layers: [{ entries: [{ name: "good" }] }] });
const image = buildImage({ layers: [{ entries: [{ name: "app" }], compression: "none" }] });
const [layer] = image.layers;
/** Peak of memory that a hostile archive may cost: what the program itself takes, and some buffers. */
const MEMORY_BYTES_MAX = 300 << 20;

const named = (entries: readonly TarEntry[], name: string, data: string): TarEntry[] => [
  ...entries.filter((entry) => entry.name !== name),
  { name, data },
];
const docker = dockerEntries(image, "local/attack:1");
const layout = layoutEntries(image, "local/attack:1");
const manifestOf = (fields: object): string =>
  JSON.stringify([
    { Config: "config.json", RepoTags: ["local/attack:1"], Layers: ["0/layer.tar"], ...fields },
  ]);
const indexOf = (fields: object): string =>
  JSON.stringify({ schemaVersion: 2, manifests: [{ ...descriptorOf(image), ...fields }] });

/** A layout whose manifest has other fields. */
function layoutWith(fields: object): TarEntry[] {
  const bytes = JSON.stringify({ ...JSON.parse(Buffer.from(image.bytes).toString()), ...fields });
  const digest = sha256Digest(Buffer.from(bytes));
  const entries = named(layout, "index.json", indexOf({ digest, size: bytes.length }));
  return [...entries, { name: `blobs/${digest.replace(":", "/")}`, data: bytes }];
}

/** A layout of which a blob is a link to another one of its kind. */
function linked(digest: string): TarEntry[] {
  const name = `blobs/${digest.replace(":", "/")}`;
  const { data = "" } = layout.find((entry) => entry.name === name) ?? {};
  return [
    ...layout.filter((entry) => entry.name !== name),
    { name, type: "symlink", link: "../../other" },
    // The same document to a parser, but for its bytes.
    { name: "other", data: `${Buffer.from(bytesOf(data)).toString()}\n` },
  ];
}

type Row = readonly [id: string, what: string, entries: readonly TarEntry[], message: RegExp];

const rows: readonly Row[] = [
  [
    "CVE-2014-9358",
    "an image whose configuration is a path out of the archive",
    named(docker, "manifest.json", manifestOf({ Config: "../../../../etc/passwd" })),
    /the entry "..\/..\/..\/..\/etc\/passwd" is missing/,
  ],
  [
    "CVE-2014-9358",
    "a layer that is a path out of the archive",
    named(docker, "manifest.json", manifestOf({ Layers: ["../../victim"] })),
    /the entry "..\/..\/victim" is missing/,
  ],
  [
    "CVE-2014-9358",
    "an entry whose directory is the id ../..",
    [...docker, { name: "../../victim", data: "pwned" }],
    /entry "..\/..\/victim" has ".." in its name/,
  ],
  [
    "CVE-2014-9358",
    "a layer that is a symlink out of the archive",
    [
      ...docker.filter(({ name }) => name !== "0/layer.tar"),
      { name: "0/layer.tar", type: "symlink", link: "../../victim" },
    ],
    /is a link that leaves the archive/,
  ],
  [
    "CVE-2024-3727",
    "an index whose digest is a path",
    named(layout, "index.json", indexOf({ digest: "sha256:../../index.json" })),
    /Cannot load archive: /,
  ],
  [
    "CVE-2024-3727",
    "a manifest whose layer's digest is a path",
    layoutWith({ layers: [{ ...layer?.descriptor, digest: "sha256:../../../victim" }] }),
    /Cannot load archive: a document in it is not valid/,
  ],
  [
    "CVE-2021-41190",
    "a manifest that is an index as well",
    layoutWith({ manifests: [] }),
    /Cannot load archive: a document in it is not valid/,
  ],
  [
    "CVE-2021-41190",
    "a document of a media type that its index does not give it",
    layoutWith({ mediaType: "application/vnd.oci.image.index.v1+json" }),
    /Cannot load archive: a document in it is not valid/,
  ],
  [
    "CVE-2023-25153",
    "an index of 5 MiB",
    named(layout, "index.json", indexOf({ annotations: { x: "x".repeat(5 << 20) } })),
    /entry "index.json" is too large: \d+ bytes of JSON/,
  ],
  [
    "CVE-2023-25153",
    "a manifest.json of a gigabyte that takes a block in the archive",
    [
      {
        name: "manifest.json",
        sparse: { form: "pax-1.0", realSize: 2 ** 30, segments: [{ offset: 0, data: "[" }] },
      },
      ...docker.slice(1),
    ],
    /entry "manifest.json" is too large: 1073741824 bytes of JSON/,
  ],
  [
    "CVE-2017-14992",
    "padding of a terabyte behind a document",
    [{ name: "padding", sparse: { form: "pax-1.0", realSize: 2 ** 50, segments: [] } }, ...docker],
    /entry "padding" is too large/,
  ],
  [
    "CVE-2017-14992",
    "padding that is a hole of half a terabyte",
    [{ name: "padding", sparse: { form: "pax-1.0", realSize: 2 ** 39, segments: [] } }, ...docker],
    /entry "padding" has more holes than data/,
  ],
  [
    "CVE-2026-50195",
    "a name that is no name, beside one that is",
    named(
      docker,
      "manifest.json",
      manifestOf({ RepoTags: ["local/attack:1", "../../docker.io/library/alpine:latest"] }),
    ),
    /Cannot load archive: /,
  ],
  [
    "CVE-2021-41190",
    "a layout of a version that may mean something else",
    named(layout, "oci-layout", '{"imageLayoutVersion":"2.0.0"}'),
    /Cannot read oci-layout: version "2.0.0", not 1.0.0/,
  ],
  [
    "CVE-2025-24882",
    "a name with the digest of another image",
    named(docker, "manifest.json", manifestOf({ RepoTags: [`local/attack@${good.digest}`] })),
    /an image in it is named "local\/attack@sha256:[0-9a-f]{64}", and has the digest "sha256:/,
  ],
  [
    "CVE-2025-24882",
    "a name in an index with the digest of another image",
    layoutEntries(image, `local/attack:1@${good.digest}`),
    /an image in it is named "local\/attack:1@sha256:[0-9a-f]{64}", and has the digest "sha256:/,
  ],
  [
    "CVE-2024-24557",
    "another configuration, by a link, under the digest of one",
    linked(image.configDigest),
    /the entry "blobs\/sha256\/[0-9a-f]{64}" has the digest "sha256:[0-9a-f]{64}"/,
  ],
  [
    "CVE-2024-24557",
    "another manifest, by a link, under the digest of one",
    linked(image.digest),
    /the entry "blobs\/sha256\/[0-9a-f]{64}" has the digest "sha256:[0-9a-f]{64}"/,
  ],
];

describe("an archive of images with", () => {
  for (const [id, what, entries, message] of rows) {
    kernelTest(`${id}: ${what}, is refused`, PULL_NEEDS, async (sandbox) => {
      await using place = new PullPlace(sandbox, { "good:latest": good });
      const host = new HostWatch(sandbox);
      await place.pull("good");
      const before = place.content();
      const file = `${sandbox.directory}/attack.tar`;
      await Bun.write(file, buildTar(entries));

      const refusal = refusalOf(
        await place.bunker(["load", "-i", file], { cwd: host.outside, timeoutMs: 30_000 }),
      );

      expect({ exitCode: refusal.exitCode, stdout: refusal.stdout }).toEqual({ exitCode: 125, stdout: "" });
      expect([refusal.message, ...refusal.because].join("\n")).toMatch(message);
      expect(place.content()).toEqual(before);
      host.expectUnchanged();
    });
  }

  kernelTest(
    "CVE-2023-25153: a document of a gigabyte, costs no memory of its size",
    PULL_NEEDS,
    async (sandbox) => {
      const file = `${sandbox.directory}/attack.tar`;
      const segments = [{ offset: 0, data: "{" }];
      await Bun.write(
        file,
        buildTar([
          { name: "oci-layout", data: "{}" },
          { name: "index.json", sparse: { form: "pax-1.0", realSize: 2 ** 30, segments } },
        ]),
      );
      await using place = new PullPlace(sandbox, {});

      const peak = await peakOf(place, ["load", "-i", file]);

      expect(peak).toBeLessThan(MEMORY_BYTES_MAX);
    },
  );
});

/** The largest part of memory that a command takes, in bytes. */
async function peakOf({ sandbox }: PullPlace, words: readonly string[]): Promise<number> {
  const { executable } = await import("../../helpers/requires.ts");
  const child = Bun.spawn([executable, ...words], {
    env: { PATH: process.env["PATH"], HOME: "/", BUNKER_ROOT: sandbox.root, BUNKER_STATE: sandbox.state },
    stdio: ["ignore", "ignore", "ignore"],
  });
  await child.exited;
  return child.resourceUsage()?.maxRSS ?? Number.POSITIVE_INFINITY;
}
