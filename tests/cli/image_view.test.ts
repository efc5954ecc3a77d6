/** `bunker image ls IMAGE PATH`, `which` and `tree`: what an image holds, and where it comes from, without running it. */
import { describe, expect } from "bun:test";
import { buildImage, type LayerSpec } from "../helpers/image_builder.ts";
import { PULL_NEEDS, PullPlace } from "../helpers/pull_place.ts";
import { kernelTest } from "../helpers/sandbox.ts";

const MTIME = 1_600_000_000;
const base: LayerSpec = {
  entries: [
    { name: "./", mtime: MTIME },
    { name: "etc/", mode: 0o755, mtime: MTIME },
    { name: "etc/hosts", data: "127.0.0.1\n", mtime: MTIME },
    { name: "etc/gone", data: "gone", mtime: MTIME },
    { name: "etc/shadow", data: "secret", mode: 0o640, gid: 42, mtime: MTIME },
    { name: "usr/", mode: 0o755, mtime: MTIME },
    { name: "usr/bin/", mode: 0o755, mtime: MTIME },
    { name: "usr/bin/su", data: "su", mode: 0o4755, mtime: MTIME },
    { name: "bin", type: "symlink", link: "usr/bin", mtime: MTIME },
    { name: "opt/", mode: 0o755, mtime: MTIME },
    { name: "opt/old", data: "old", mtime: MTIME },
  ],
};
const upper: LayerSpec = {
  entries: [
    { name: "etc/", mode: 0o711, mtime: MTIME },
    { name: "etc/hosts", data: "127.0.0.1 localhost\n", mtime: MTIME },
    { name: "etc/.wh.gone", data: "" },
    { name: "opt/", mode: 0o755, mtime: MTIME },
    { name: "opt/.wh..wh..opq", data: "" },
    { name: "opt/a b\u001b[31m", data: "hostile", uid: 1000, mtime: MTIME },
    { name: Buffer.from("opt/\xff", "latin1"), data: "binary", mtime: MTIME },
  ],
};
const history = (...steps: readonly string[]) => ({
  history: steps.map((step) => ({ created: "2024-01-02T03:04:05Z", created_by: step })),
});
const small = buildImage({ layers: [base], configDocument: history("ADD root /") });
const large = buildImage({
  layers: [base, upper],
  configDocument: history("ADD root /", "RUN rm /etc/gone \u001b]0;title\u0007\n&& true"),
});
const empty = buildImage({ layers: [] });
const images = { "small:1": small, "large:1": large, "empty:1": empty };

describe("bunker image ls IMAGE PATH", () => {
  kernelTest("lists names as ls does, whatever they hold", PULL_NEEDS, async (sandbox) => {
    await using place = await placeWith(sandbox, "large:1");
    const ls = async (...words: string[]): Promise<string> => {
      const { exitCode, stdout, stderr } = await place.bunker(["image", "ls", ...words]);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
      return stdout;
    };
    const image = place.name("large:1");

    expect(await ls(image, "/")).toBe("bin\netc\nopt\nusr\n");
    expect(await ls(image, "bin")).toBe("su\n");
    expect(await ls(image, "/etc/hosts")).toBe("/etc/hosts\n");
    expect(await ls(image, "opt")).toBe("'a b'$'\\033''[31m'\n''$'\\377'\n");
    expect(await ls("-R", image, "usr")).toBe("/usr:\nbin\n\n/usr/bin:\nsu\n");
    expect(await ls("-l", image, "/etc")).toBe(
      "-rw-r--r-- 0 0  20 2020-09-13 12:26 hosts\n-rw-r----- 0 42  6 2020-09-13 12:26 shadow\n",
    );
    expect(await ls("-l", image, "bin")).toBe("lrwxrwxrwx 0 0 7 2020-09-13 12:26 /bin -> usr/bin\n");
    expect(await ls("-l", image, "bin/")).toBe("-rwsr-xr-x 0 0 2 2020-09-13 12:26 su\n");
  });

  kernelTest("finds nothing in an image without layers", PULL_NEEDS, async (sandbox) => {
    await using place = await placeWith(sandbox, "empty:1");
    const image = place.name("empty:1");

    const root = await place.bunker(["image", "ls", image, "/"]);
    const file = await place.refusal(["image", "which", image, "/etc"]);

    expect(root).toMatchObject({ exitCode: 0, stdout: "", stderr: "" });
    expect(file).toMatchObject({ exitCode: 1, message: expect.stringContaining('Cannot find "/etc"') });
  });

  kernelTest("tells programs everything, with the layer of each file", PULL_NEEDS, async (sandbox) => {
    await using place = await placeWith(sandbox, "large:1");
    const image = place.name("large:1");

    const all = await place.bunker(["image", "ls", "-R", "--json", image, "/"]);
    const rows = await place.bunker(["image", "ls", "--format", "{{.Path}} {{.Type}}", image, "/etc"]);

    const files = JSON.parse(all.stdout) as ReadonlyArray<Readonly<Record<string, unknown>>>;
    expect(files.find(({ path }) => path === "/etc/hosts")).toMatchObject({
      type: "file",
      size: 20,
      mtime: { seconds: MTIME, nanoseconds: 0 },
      layer: large.layers[1]?.diffId,
    });
    expect(files.find(({ path }) => path === "/usr/bin/su")).toMatchObject({
      mode: 0o4755,
      layer: large.layers[0]?.diffId,
    });
    const binary = files.find(({ pathBase64 }) => pathBase64 !== undefined);
    expect(binary?.["pathBase64"]).toBe(Buffer.from("/opt/\xff", "latin1").toString("base64"));
    expect(rows.stdout).toBe("/etc/hosts file\n/etc/shadow file\n");
  });

  kernelTest("names what is not there", PULL_NEEDS, async (sandbox) => {
    await using place = await placeWith(sandbox, "large:1");
    const image = place.name("large:1");

    const gone = await place.refusal(["image", "ls", image, "/etc/gone"]);
    const missing = await place.refusal(["image", "ls", "nothing", "/"]);

    expect(gone).toMatchObject({
      exitCode: 1,
      message: 'Cannot find "/etc/gone" in the image: it has no such file',
    });
    expect(missing.message).toBe('Cannot find image "nothing": it is not here');
  });

  kernelTest("is docker's list of images without a path", PULL_NEEDS, async (sandbox) => {
    await using place = await placeWith(sandbox, "small:1", "large:1");

    const { stdout } = await place.bunker(["image", "ls", "-q", "--no-trunc", place.name("small")]);

    expect(stdout).toBe(`${small.configDigest}\n`);
  });
});

describe("bunker image which", () => {
  kernelTest("names the layer that brought a file, and those below", PULL_NEEDS, async (sandbox) => {
    await using place = await placeWith(sandbox, "large:1");
    const which = (path: string) => place.bunker(["image", "which", place.name("large:1"), path]);
    const [lower, top] = large.layers.map(({ diffId }) => diffId.slice(7, 19));

    const hosts = await which("/etc/hosts");
    const gone = await which("etc/gone");
    const old = await which("/opt/old");

    expect(hosts).toMatchObject({ exitCode: 0, stderr: "" });
    expect(rowsOf(hosts.stdout)).toEqual([
      ["/etc/hosts"],
      ["LAYER", "DIGEST", "STATE", "FILE", "SIZE", "CREATED BY"],
      ["2/2", top, "shown", "-rw-r--r-- 0:0", "20B", "RUN rm /etc/gone \\u{1b}]0;title\\u{7} && true"],
      ["1/2", lower, "replaced", "-rw-r--r-- 0:0", "10B", "ADD root /"],
    ] as string[][]);
    expect(gone.exitCode).toBe(1);
    expect(gone.stdout).toStartWith("/etc/gone is not in the image: layer 2 removes it\n");
    expect(rowsOf(gone.stdout).map((row) => row[2])).toEqual([undefined, "STATE", "removes", "removed"]);
    expect(rowsOf(old.stdout)[2]?.slice(0, 4)).toEqual(["2/2", top, "removes", "/opt"] as string[]);
  });

  kernelTest("follows symlinks in front of a name, and tells programs", PULL_NEEDS, async (sandbox) => {
    await using place = await placeWith(sandbox, "large:1");

    const { stdout } = await place.bunker([
      "image",
      "which",
      "--json",
      place.name("large:1"),
      "/bin/../bin/su",
    ]);
    const directory = await place.bunker(["image", "which", "--json", place.name("large:1"), "/etc"]);
    const missing = await place.refusal(["image", "which", place.name("large:1"), "/nothing"]);

    expect(JSON.parse(stdout)).toMatchObject([
      { path: "/usr/bin/su", state: "shown", layer: 1, layers: 2, mode: 0o4755, createdBy: "ADD root /" },
    ]);
    const states = (JSON.parse(directory.stdout) as { state: string }[]).map(({ state }) => state);
    expect(states).toEqual(["shown", "merged"]);
    expect(missing.exitCode).toBe(1);
  });
});

describe("bunker image tree", () => {
  kernelTest("draws shared layers once, with the images on top", PULL_NEEDS, async (sandbox) => {
    await using place = await placeWith(sandbox, "small:1", "large:1");
    await place.bunker(["tag", place.name("small:1"), "base"]);
    const [lower, top] = large.layers.map(({ diffId }) => diffId.slice(7, 19));

    const all = await place.bunker(["image", "tree"]);
    const one = await place.bunker(["image", "tree", "base"]);

    expect(all).toMatchObject({ exitCode: 0, stderr: "" });
    expect(all.stdout.split("\n")).toEqual([
      `${lower}   25B   ADD root /`,
      `├── ${place.name("small:1")}, base:latest   25B, 0B of its own`,
      `└── ${top}   33B   RUN rm /etc/gone \\u{1b}]0;title\\u{7} && true`,
      `    └── ${place.name("large:1")}   58B, 33B of its own`,
      "",
    ]);
    expect(one.stdout.split("\n").slice(1)).toEqual([
      `└── ${place.name("small:1")}, base:latest   25B, 0B of its own`,
      "",
    ]);
  });

  kernelTest("tells programs the same, and is empty where nothing is", PULL_NEEDS, async (sandbox) => {
    const none = await sandbox.bunker(["image", "tree", "--json"]);
    await using place = await placeWith(sandbox, "large:1");

    const { stdout } = await place.bunker(["image", "tree", "--json"]);

    expect(JSON.parse(none.stdout)).toEqual({ layers: [], empty: [] });
    expect(JSON.parse(stdout)).toMatchObject({
      layers: [
        { diffId: large.layers[0]?.diffId, above: [{ images: [{ names: [place.name("large:1")] }] }] },
      ],
    });
  });
});

async function placeWith(sandbox: ConstructorParameters<typeof PullPlace>[0], ...names: readonly string[]) {
  const place = new PullPlace(sandbox, images);
  for (const name of names) await place.pull(name);
  return place;
}

const rowsOf = (table: string): string[][] =>
  table
    .trimEnd()
    .split("\n")
    .map((line) => line.split(/ {2,}/));
