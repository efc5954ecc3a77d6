/** `bunker load`: archives of all kinds, with the digests that they were made of; and archives that lie. */
import { describe, expect } from "bun:test";
import { readdirSync } from "node:fs";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { buildImage, sha256Digest } from "../helpers/image_builder.ts";
import { PULL_NEEDS, PullPlace, refusalOf } from "../helpers/pull_place.ts";
import { kernelTest, type Sandbox } from "../helpers/sandbox.ts";
import { buildTar, type TarEntry } from "../helpers/tar_builder.ts";

const shared = { entries: [{ name: "shared", data: "shared" }] };
const one = buildImage({ layers: [shared, { entries: [{ name: "one" }], compression: "zstd" }] });
const two = buildImage({ layers: [shared, { entries: [{ name: "two" }] }], flavour: "docker" });
const images = { "one:latest": one, "two:7": two };

describe("bunker load", () => {
  kernelTest("brings back what bunker saved, under its names, to the digest", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    for (const name of ["one", "two:7"]) await place.pull(name);
    await place.bunker(["tag", place.name("one"), "also:x"]);
    const file = `${sandbox.directory}/saved.tar`;
    const words = [place.name("one"), "also:x", place.name("two:7")];
    await place.bunker(["save", "-o", file, ...words]);
    await place.bunker(["rmi", ...words]);

    const loaded = await place.bunker(["load", "-i", file]);
    const again = `${sandbox.directory}/again.tar`;
    await place.bunker(["save", "-o", again, ...words]);

    expect(loaded).toMatchObject({ exitCode: 0, stderr: "" });
    expect(loaded.stdout.trimEnd().split("\n").sort()).toEqual(
      [`${place.name("one")}:latest`, place.name("two:7"), "also:x"]
        .map((name) => `Loaded image: ${name}`)
        .sort(),
    );
    expect(await Bun.file(again).bytes()).toEqual(await Bun.file(file).bytes());
    expect(await place.bunker(["system", "check"])).toMatchObject({ exitCode: 0 });
  });

  kernelTest("keeps blobs of layers that were here without them", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    await place.pull("one");
    const file = `${sandbox.directory}/saved.tar`;
    await place.bunker(["save", "-o", file, place.name("one")]);
    for (const { descriptor } of one.layers) {
      await Bun.file(`${sandbox.root}/blobs/sha256/${descriptor.digest.slice(7)}`).delete();
    }

    await place.bunker(["load", "-i", file]);

    expect(await place.bunker(["system", "check"])).toMatchObject({ exitCode: 0 });
  });

  const compressions: ReadonlyArray<readonly [string, (bytes: Uint8Array) => Uint8Array]> = [
    ["plain", (bytes) => bytes],
    ["gzip", (bytes) => gzipSync(bytes)],
    ["zstd", (bytes) => zstdCompressSync(bytes)],
  ];
  for (const [name, compress] of compressions) {
    kernelTest(`reads docker's old archive, ${name}, from a pipe`, PULL_NEEDS, async (sandbox) => {
      const archive = `${sandbox.directory}/old.tar`;
      await Bun.write(archive, compress(buildTar(oldArchive())));

      const loaded = await Bun.$`cat ${archive} | dist/bunker load`
        .env(environment(sandbox))
        .quiet()
        .nothrow();

      expect(loaded.stderr.toString()).toBe("");
      expect(loaded.stdout.toString()).toBe("Loaded image: local/old:1\n");
      const [image] = JSON.parse((await sandbox.bunker(["inspect", "local/old:1"])).stdout) as [
        { Id: string; RootFS: { Layers: string[] } },
      ];
      expect(image.Id).toBe(plain.configDigest);
      expect(image.RootFS.Layers).toEqual(plain.layers.map(({ diffId }) => diffId));
    });
  }

  kernelTest("gives an image without a name its id", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    await place.pull("one");
    const file = `${sandbox.directory}/saved.tar`;
    await place.bunker(["save", "-o", file, one.configDigest]);
    await place.bunker(["rmi", place.name("one")]);

    const { stdout } = await place.bunker(["load", "-i", file]);

    expect(stdout).toBe(`Loaded image ID: ${one.configDigest}\n`);
    expect(await place.bunker(["inspect", one.configDigest])).toMatchObject({ exitCode: 0 });
  });

  const formats = ["oci-archive", "docker-archive"];
  for (const format of formats) {
    kernelTest(`reads ${format} of skopeo`, [...PULL_NEEDS, "program skopeo"], async (sandbox) => {
      await using place = new PullPlace(sandbox, images);
      const file = `${sandbox.directory}/skopeo.tar`;
      const source = `docker://${place.name("two:7")}`;
      await Bun.$`skopeo copy --insecure-policy --src-tls-verify=false ${source} ${`${format}:${file}:local/two:7`}`.quiet();

      const loaded = await place.bunker(["load", "-i", file]);

      expect(loaded).toMatchObject({ exitCode: 0, stderr: "", stdout: "Loaded image: local/two:7\n" });
      const layers = await place.bunker(["inspect", "-f", "{{json .RootFS.Layers}}", "local/two:7"]);
      expect(JSON.parse(layers.stdout)).toEqual(two.layers.map(({ diffId }) => diffId));
    });
  }

  const hostile: ReadonlyArray<readonly [what: string, entry: TarEntry, message: string]> = [
    ["an absolute name", { name: "/etc/passwd", data: "x" }, 'entry "/etc/passwd" has an absolute name'],
    ["a name with ..", { name: "a/../../x", data: "x" }, 'entry "a/../../x" has ".." in its name'],
    ["a hard link", { name: "x", type: "hardlink", link: "config.json" }, 'entry "x" is a hard link'],
    [
      "a link to an absolute name",
      { name: "x", type: "symlink", link: "/etc/passwd" },
      'entry "x" is a link to an absolute name',
    ],
    [
      "a link that leaves",
      { name: "a/x", type: "symlink", link: "../../y" },
      'entry "a/x" is a link that leaves the archive',
    ],
    ["a device", { name: "x", type: "char" }, 'entry "x" is a device'],
    ["a pipe", { name: "x", type: "fifo" }, 'entry "x" is a named pipe'],
    [
      "a name that is there twice",
      { name: "./config.json", data: "{}" },
      'entry "./config.json" is there twice',
    ],
    [
      "a blob of another digest",
      { name: `blobs/sha256/${"0".repeat(64)}`, data: "x" },
      `entry "blobs/sha256/${"0".repeat(64)}" has the digest ${sha256Digest(Buffer.from("x"))}`,
    ],
  ];
  for (const [what, entry, message] of hostile) {
    kernelTest(`refuses ${what}, by its name`, PULL_NEEDS, async (sandbox) => {
      const refusal = await refused(sandbox, [...oldArchive(), entry]);

      expect(refusal.message).toBe(`Cannot load archive: ${message}`);
      expect(readdirSync(`${sandbox.root}/refs`)).toEqual([]);
      expect(readdirSync(`${sandbox.root}/blobs/sha256`)).toEqual([]);
    });
  }

  kernelTest("refuses what is missing, damaged, too large, or no archive", PULL_NEEDS, async (sandbox) => {
    const without = (name: string) => oldArchive().filter((entry) => entry.name !== name);
    const changed = (name: string, data: string) => [...without(name), { name, data }];
    const messageOf = async (entries: readonly TarEntry[]) => (await refused(sandbox, entries)).message;

    expect(await messageOf(without("one/layer.tar"))).toEndWith('the entry "one/layer.tar" is missing');
    expect(await messageOf(without("manifest.json"))).toEndWith(
      "neither index.json nor manifest.json with an image",
    );
    expect(await messageOf(changed("manifest.json", "[{]"))).toEndWith("a document in it is not valid");
    expect(await messageOf(changed("manifest.json", " ".repeat((4 << 20) + 1)))).toContain("is too large");
    expect(await messageOf(changed("one/layer.tar", "other"))).toEndWith("cannot be stored");
    await Bun.write(`${sandbox.directory}/empty`, "");
    const empty = refusalOf(await sandbox.bunker(["load", "-i", `${sandbox.directory}/empty`]));
    expect(empty.message).toBe("Cannot load archive: it is empty");
    expect(readdirSync(`${sandbox.root}/refs`)).toEqual([]);
  });
});

const plain = buildImage({
  layers: [
    { entries: [{ name: "a", data: "a" }], compression: "none" },
    { entries: [{ name: "b", data: "b" }], compression: "none" },
  ],
});

/** As docker wrote before version 25: no digests, and a symbolic link for a layer that is there already. */
function oldArchive(): TarEntry[] {
  const [first, second] = plain.layers.map(({ blob }) => blob);
  const manifest = [
    { Config: "config.json", RepoTags: ["local/old:1"], Layers: ["one/layer.tar", "two/layer.tar"] },
  ];
  return [
    { name: "one/" },
    { name: "one/layer.tar", data: first ?? "" },
    { name: "three/layer.tar", data: second ?? "" },
    { name: "two/layer.tar", type: "symlink", link: "../three/layer.tar" },
    { name: "config.json", data: plain.blobs.get(plain.configDigest) ?? "" },
    { name: "manifest.json", data: JSON.stringify(manifest) },
    { name: "repositories", data: "{}" },
  ];
}

async function refused(sandbox: Sandbox, entries: readonly TarEntry[]) {
  const file = `${sandbox.directory}/hostile.tar`;
  await Bun.write(file, buildTar(entries));
  return refusalOf(await sandbox.bunker(["load", "-i", file]));
}

const environment = ({ root, state }: Sandbox): Record<string, string> => ({
  PATH: process.env["PATH"] ?? "",
  HOME: "/",
  BUNKER_ROOT: root,
  BUNKER_STATE: state,
});
