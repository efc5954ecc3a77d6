/**
 * Docker's archives in every shape that docker has given them: bunker loads each, whatever the order of its entries and its
 * compression; skopeo, which reads the same form, says that they are what docker writes.
 */
import { describe, expect } from "bun:test";
import { buildImage } from "../helpers/image_builder.ts";
import { PULL_NEEDS, refusalOf } from "../helpers/pull_place.ts";
import { kernelTest } from "../helpers/sandbox.ts";
import { buildTar, type TarEntry } from "../helpers/tar_builder.ts";
import { newArchive, oldArchive, type SavedImage } from "./docker_archives.ts";

const layer = (name: string) => ({ entries: [{ name, data: name }], compression: "none" as const });
const one = buildImage({ layers: [layer("shared"), layer("one"), layer("shared")] });
const two = buildImage({ layers: [layer("shared"), layer("two")] });
const named: readonly SavedImage[] = [
  { image: one, names: ["local/one:1"] },
  { image: two, names: ["local/two:2", "local/also:3"] },
];
const unnamed: readonly SavedImage[] = [{ image: one, names: [] }];
const NAMES = ["local/also:3", "local/one:1", "local/two:2"];

interface Row {
  readonly what: string;
  readonly entries: readonly TarEntry[];
  readonly names: readonly string[];
  /** [plain] */
  readonly compress?: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array;
}

const asItIs = (bytes: Uint8Array<ArrayBuffer>): Uint8Array => bytes;

const rows: readonly Row[] = [
  { what: "before version 25, two images with layers in common", entries: oldArchive(named), names: NAMES },
  { what: "before version 25, in the opposite order", entries: oldArchive(named).toReversed(), names: NAMES },
  { what: "before version 25, without a name", entries: oldArchive(unnamed), names: [] },
  { what: "since version 25, two images with layers in common", entries: newArchive(named), names: NAMES },
  { what: "since version 25, in the opposite order", entries: newArchive(named).toReversed(), names: NAMES },
  { what: "since version 25, without a name", entries: newArchive(unnamed), names: [] },
  {
    what: "since version 25, whose index lists null",
    entries: newArchive(named, { index: null }),
    names: NAMES,
  },
  {
    what: "since version 25, whose index lists nothing",
    entries: newArchive(named, { index: [] }),
    names: NAMES,
  },
  {
    what: "since version 25, with a dot before every name",
    entries: newArchive(named).map((entry) => ({ ...entry, name: `./${entry.name}` })),
    names: NAMES,
  },
  {
    what: "since version 25, gzip",
    entries: newArchive(named),
    names: NAMES,
    compress: (bytes) => Bun.gzipSync(bytes),
  },
  {
    what: "before version 25, zstd",
    entries: oldArchive(named),
    names: NAMES,
    compress: (bytes) => Bun.zstdCompressSync(bytes),
  },
  {
    what: "before version 25, gzip in two members",
    entries: oldArchive(named),
    names: NAMES,
    compress: (bytes) => Buffer.concat([Bun.gzipSync(bytes.slice(0, 1000)), Bun.gzipSync(bytes.slice(1000))]),
  },
];

describe("bunker loads an archive of docker", () => {
  for (const { what, entries, names, compress = asItIs } of rows) {
    kernelTest(what, PULL_NEEDS, async (sandbox) => {
      const archive = `${sandbox.directory}/docker.tar`;
      await Bun.write(archive, compress(buildTar(entries)));

      const loaded = await sandbox.bunker(["load", "-i", archive]);

      expect(loaded).toMatchObject({ exitCode: 0, stderr: "" });
      const lines =
        names.length === 0
          ? [`Loaded image ID: ${one.configDigest}`]
          : names.map((name) => `Loaded image: ${name}`);
      expect(loaded.stdout.trimEnd().split("\n").sort()).toEqual(lines);
      for (const { image } of names.length === 0 ? unnamed : named) {
        const layers = await sandbox.bunker(["inspect", "-f", "{{json .RootFS.Layers}}", image.configDigest]);
        expect(JSON.parse(layers.stdout)).toEqual(image.layers.map(({ diffId }) => diffId));
      }
      expect(await sandbox.bunker(["system", "check"])).toMatchObject({ exitCode: 0, stderr: "" });
    });
  }

  for (const [program, suffix] of [
    ["xz", "xz"],
    ["bzip2", "bz2"],
  ] as const) {
    kernelTest(
      `but not one of ${program}, and says so`,
      [...PULL_NEEDS, `program ${program}`],
      async (sandbox) => {
        const archive = `${sandbox.directory}/docker.tar`;
        await Bun.write(archive, buildTar(oldArchive(named)));
        await Bun.$`${program} ${archive}`;

        const refusal = refusalOf(await sandbox.bunker(["load", "-i", `${archive}.${suffix}`]));

        expect(refusal).toEqual({
          exitCode: 125,
          stdout: "",
          message: "Cannot load archive: it cannot be decompressed",
          because: [`Cannot decompress layer: ${program} is not supported`],
          hints: ["Decompress it first: xz -dc FILE | bunker load"],
        });
      },
    );
  }
});

// Compression is no part of the form, and this skopeo takes the end of a gzip stream for damage.
describe("skopeo reads the same archives as docker's", () => {
  for (const { what, entries, names, compress } of rows) {
    if (compress !== undefined) continue;
    kernelTest(what, ["program skopeo"], async (sandbox) => {
      const archive = `${sandbox.directory}/docker.tar`;
      await Bun.write(archive, buildTar(entries));
      const reference = `docker-archive:${archive}${names.length === 0 ? "" : ":local/one:1"}`;

      const { stdout } = await Bun.$`skopeo inspect --config --raw ${reference}`.quiet();

      expect(stdout.equals(Buffer.from(one.blobs.get(one.configDigest) ?? ""))).toBeTrue();
    });
  }
});
