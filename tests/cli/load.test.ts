/** `bunker load`: archives of all kinds, with the digests that they were made of; and archives that lie. */
import { describe, expect } from "bun:test";
import { readdirSync } from "node:fs";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { buildImage, buildIndex, hostPlatform, sha256Digest } from "../helpers/image_builder.ts";
import { PULL_NEEDS, PullPlace, refusalOf } from "../helpers/pull_place.ts";
import { executable } from "../helpers/requires.ts";
import { kernelTest, type Sandbox } from "../helpers/sandbox.ts";
import { buildTar, type TarEntry } from "../helpers/tar_builder.ts";

const shared = { entries: [{ name: "shared", data: "shared" }] };
const one = buildImage({ layers: [shared, { entries: [{ name: "one" }], compression: "zstd" }] });
const two = buildImage({ layers: [shared, { entries: [{ name: "two" }] }], flavour: "docker" });
const OTHER = hostPlatform().architecture === "arm64" ? "amd64" : "arm64";
const images = { "one:latest": one, "two:7": two };
/** Many commands, on a disk that others use too. */
const TEST_MS_MAX = 60_000;
const STEP_MS = 10;

describe("bunker load", () => {
  kernelTest("names the file that it cannot read", PULL_NEEDS, async (sandbox) => {
    for (const verb of [["load", "-i"], ["import"]]) {
      const missing = await sandbox.bunker([...verb, `${sandbox.directory}/none`]);
      const directory = await sandbox.bunker([...verb, sandbox.directory]);

      expect(missing).toMatchObject({ exitCode: 125, stdout: "" });
      expect(missing.stderr).toStartWith(
        `bunker: Cannot read "${sandbox.directory}/none": there is no such file\n`,
      );
      expect(directory).toMatchObject({
        exitCode: 125,
        stderr: `bunker: Cannot read "${sandbox.directory}": it is a directory\n`,
      });
    }
  });

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

  kernelTest(
    "brings back every platform that was saved under a name, or the one asked for",
    PULL_NEEDS,
    async (sandbox) => {
      const [own, other] = [hostPlatform(), { os: "linux", architecture: OTHER }];
      const [ownImage, otherImage] = [own, other].map((platform) =>
        buildImage({ layers: [shared], platform }),
      );
      if (ownImage === undefined || otherImage === undefined) throw new Error("two images");
      const index = buildIndex({ images: [ownImage, otherImage] });
      await using place = new PullPlace(sandbox, { "app:latest": index });
      await place.pull();
      await place.bunker(["pull", "-q", "--platform", `linux/${OTHER}`, place.name()]);
      const save = (...words: string[]): Promise<unknown> =>
        place.bunker(["save", "-o", `${sandbox.directory}/${words.length}.tar`, ...words, place.name()]);
      const platforms = async (): Promise<string[]> => {
        const { stdout } = await place.bunker(["images", "--json"]);
        const list = JSON.parse(stdout) as { platform: string; dangling: boolean }[];
        return list.map(({ platform, dangling }) => (dangling ? `${platform} <none>` : platform)).sort();
      };
      const load = async (file: string, ...words: string[]) => {
        await place.bunker(["image", "prune", "-af"]);
        return await place.bunker(["load", "-i", `${sandbox.directory}/${file}`, ...words]);
      };
      await save();
      await save("--platform", `linux/${OTHER}`);
      const missing = await place.refusal([
        "save",
        "-o",
        "/dev/null",
        "--platform",
        "linux/s390x",
        place.name(),
      ]);

      const both = [`linux/${OTHER}`, `linux/${own.architecture}`].sort();
      expect(await load("0.tar")).toMatchObject({ exitCode: 0, stderr: "" });
      expect(await platforms()).toEqual(both);
      expect(await load("0.tar", "--platform", `linux/${OTHER}`)).toMatchObject({ exitCode: 0 });
      expect(await platforms()).toEqual([`linux/${OTHER}`]);
      expect(await load("2.tar")).toMatchObject({ exitCode: 0 });
      expect(await platforms()).toEqual([`linux/${OTHER}`]);
      expect(missing.message).toBe(
        `Cannot save image "${place.name()}" for linux/s390x: it is there for ${both.join(", ")}`,
      );
      const none = refusalOf(await load("0.tar", "--platform", "linux/s390x"));
      expect(none.message).toBe(
        `Cannot load the archive for linux/s390x: it is there for ${both.join(", ")}`,
      );
    },
    TEST_MS_MAX,
  );

  kernelTest("takes a tag from another image, and names only what it loaded", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    for (const name of ["one", "two:7"]) await place.pull(name);
    const file = `${sandbox.directory}/saved.tar`;
    await place.bunker(["save", "-o", file, place.name("one")]);
    await place.bunker(["tag", place.name("two:7"), place.name("one")]);
    await place.bunker(["rmi", place.name("two:7")]);
    await place.bunker(["image", "prune", "-f"]);

    const { stdout } = await place.bunker(["load", "-i", file]);

    expect(stdout).toBe(`Loaded image: ${place.name("one")}:latest\n`);
    const left = await place.bunker(["images", "-q", "--no-trunc", "--filter", "dangling=true"]);
    expect(left.stdout).toBe(`${two.configDigest}\n`);
  });

  kernelTest("names nothing that another command brings meanwhile", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    await place.pull("two:7");
    const archive = buildTar(oldArchive());
    const load = Bun.spawn([executable, "load"], {
      env: environment(sandbox),
      stdio: ["pipe", "pipe", "inherit"],
    });
    load.stdin.write(archive.subarray(0, archive.length / 2));
    await load.stdin.flush();
    while (!readdirSync(`${sandbox.root}/tmp`).some((name) => !name.endsWith(".lock")))
      await Bun.sleep(STEP_MS);

    await place.bunker(["tag", place.name("two:7"), "other:x"]);
    load.stdin.write(archive.subarray(archive.length / 2));
    await load.stdin.end();

    expect(await load.stdout.text()).toBe("Loaded image: local/old:1\n");
    expect(await load.exited).toBe(0);
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
    const text = refusalOf(await sandbox.bunker(["load", "-i", "/etc/passwd"]));
    expect(text.message).toBe("Cannot load archive: it is no tar archive");
    expect(text.hints).toEqual(["Give it an archive of docker save, podman save, skopeo, or bunker save"]);
    expect(readdirSync(`${sandbox.root}/refs`)).toEqual([]);
  });
});

describe("bunker load of a directory as skopeo packs it", () => {
  const hex = (digest: string): string => digest.slice("sha256:".length);
  const blobs = [...one.blobs].map(([digest, data]) => ({ name: hex(digest), data }));
  const archive = [{ name: "manifest.json", data: one.bytes }, { name: "version", data: "1.1" }, ...blobs];

  kernelTest("keeps its manifest", PULL_NEEDS, async (sandbox) => {
    const file = `${sandbox.directory}/directory.tar`;
    await Bun.write(file, buildTar(archive));

    const loaded = await sandbox.bunker(["load", "-i", file]);

    expect(loaded).toMatchObject({
      exitCode: 0,
      stderr: "",
      stdout: `Loaded image ID: ${one.configDigest}\n`,
    });
    expect(readdirSync(`${sandbox.root}/blobs/sha256`)).toContain(hex(one.digest));
  });

  kernelTest("goes by content, whatever the names say", PULL_NEEDS, async (sandbox) => {
    const config = hex(one.configDigest);
    const [layer] = one.layers;
    const without = (name: string) => archive.filter((entry) => entry.name !== name);

    const swapped = await refused(sandbox, [...without(config), { name: config, data: "{}" }]);
    const missing = await refused(sandbox, without(hex(layer?.descriptor.digest ?? "")));
    const index = JSON.stringify({ schemaVersion: 2, manifests: [] });
    const listed = await refused(sandbox, [
      ...without("manifest.json"),
      { name: "manifest.json", data: index },
    ]);

    expect(swapped.message).toBe("Cannot load archive: its configuration is missing");
    expect(missing.message).toBe(`Cannot load archive: the layer ${layer?.descriptor.digest} is missing`);
    expect(listed.message).toBe("Cannot load archive: its manifest.json is an index");
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
