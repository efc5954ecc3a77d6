/** Layers that are damaged, hostile or merely odd, and disks that are full, as a user of bunker meets them. */
import { describe, expect } from "bun:test";
import { mkdirSync, readdirSync } from "node:fs";
import { type BuiltImage, buildImage, type LayerSpec } from "../helpers/image_builder.ts";
import { PULL_NEEDS, PullPlace, refusalOf } from "../helpers/pull_place.ts";
import { noise } from "../helpers/registry_fixture.ts";
import { kernelTest } from "../helpers/sandbox.ts";
import { buildTar, type TarEntry } from "../helpers/tar_builder.ts";
import { baseLayer } from "../kernel/run/app.ts";

const imageOf = (...layers: readonly LayerSpec[]): BuiltImage =>
  buildImage({ layers, config: { Cmd: ["/bin/sh"], Env: ["PATH=/bin"] } });

const good = imageOf({ entries: [{ name: "good" }] });
const archive = buildTar([{ name: "srv/" }, { name: "srv/data", data: noise(20_000) }]);
const compressed = Bun.gzipSync(archive);
const HALF = archive.length / 2;

describe("bunker pull of a damaged layer", () => {
  const cases: ReadonlyArray<readonly [string, LayerSpec, RegExp]> = [
    [
      "a gzip stream that is cut off",
      { tar: archive, blob: compressed.subarray(0, -9000) },
      /^Cannot decompress layer: unexpected end of file/,
    ],
    [
      "bytes after the gzip stream",
      { tar: archive, blob: Buffer.concat([compressed, Buffer.from("what is this")]) },
      /^Cannot decompress layer: incorrect header/,
    ],
    ["no gzip stream at all", { tar: archive, blob: noise(500) }, /^Cannot decompress layer: |sha256:/],
    [
      "content that is not its diff id's",
      { tar: archive, diffId: `sha256:${"0".repeat(64)}` },
      /it unpacks to "sha256:/,
    ],
    [
      "an archive that is cut off",
      { tar: archive.subarray(0, 5000) },
      /^Cannot read archive: it is cut short/,
    ],
    ["an archive with a wrong checksum", { entries: [{ name: "srv/data", checksum: 1 }] }, /checksum/],
  ];
  for (const [what, layer, cause] of cases) {
    kernelTest(`refuses ${what}`, PULL_NEEDS, async (sandbox) => {
      await using place = new PullPlace(sandbox, { "good:latest": good, "app:latest": imageOf(layer) });
      await place.pull("good");
      const before = place.content();

      const { exitCode, stdout, message, because } = await place.refusal(["pull", "-q", place.name()]);

      expect({ exitCode, stdout }).toEqual({ exitCode: 125, stdout: "" });
      expect(message).toBe(`Cannot pull image "${place.name()}:latest"`);
      expect(because.join("\n")).toMatch(cause);
      expect(place.content()).toEqual(before);
    });
  }
});

describe("bunker pull of a layer in an odd form", () => {
  const cases: ReadonlyArray<readonly [string, Uint8Array]> = [
    [
      "two gzip members",
      Buffer.concat([Bun.gzipSync(archive.subarray(0, HALF)), Bun.gzipSync(archive.subarray(HALF))]),
    ],
    ["zeros after the gzip stream", Buffer.concat([compressed, Buffer.alloc(5000)])],
  ];
  for (const [what, blob] of cases) {
    kernelTest(`takes ${what} as gzip(1) does`, PULL_NEEDS, async (sandbox) => {
      const image = imageOf(baseLayer(), { tar: archive, blob });
      await using place = new PullPlace(sandbox, { "app:latest": image });

      const { exitCode, stdout, stderr } = await place.bunker([
        ...["run", "-q", place.name(), "wc", "-c", "/srv/data"],
      ]);

      expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 0, stdout: "20000 /srv/data\n", stderr: "" });
    });
  }
});

describe("bunker pull of a hostile layer", () => {
  const refused: ReadonlyArray<readonly [string, readonly TarEntry[], RegExp]> = [
    ["a name that goes up", [{ name: "../escaped", data: "x" }], /"\.\.\/escaped": its path leads out/],
    ["a name that goes up later", [{ name: "a/../../escaped", data: "x" }], /leads out/],
    [
      "a hard link that goes up",
      [{ name: "escaped", type: "hardlink", link: "../../../etc/shadow" }],
      /leads out/,
    ],
    [
      "a hard link to a file of the host",
      [{ name: "h", type: "hardlink", link: "/etc/shadow" }],
      /does not exist/,
    ],
    [
      "a hard link through a symlink to the host",
      [
        { name: "etc", type: "symlink", link: "/etc" },
        { name: "h", type: "hardlink", link: "etc/shadow" },
      ],
      /"h": its path goes through too many symlinks/,
    ],
  ];
  for (const [what, entries, cause] of refused) {
    kernelTest(`refuses ${what}, and names it`, PULL_NEEDS, async (sandbox) => {
      await using place = new PullPlace(sandbox, { "good:latest": good, "app:latest": imageOf({ entries }) });
      await place.pull("good");
      const before = place.content();

      const { exitCode, because, hints } = await place.refusal(["pull", "-q", place.name()]);

      expect(exitCode).toBe(125);
      expect(because.join("\n")).toMatch(cause);
      expect(hints).toEqual(["Do not use this image: report it to whoever published it"]);
      expect(place.content()).toEqual(before);
    });
  }

  kernelTest("keeps absolute names and what goes through symlinks inside", PULL_NEEDS, async (sandbox) => {
    const outside = `${sandbox.directory}/outside`;
    mkdirSync(outside);
    const entries: readonly TarEntry[] = [
      { name: `${outside}/absolute`, data: "1" },
      { name: "link", type: "symlink", link: outside },
      { name: "link/through", data: "2" },
      { name: "up", type: "symlink", link: "../../../../../../../.." },
      { name: `up${outside}/upwards`, data: "3" },
    ];
    await using place = new PullPlace(sandbox, { "app:latest": imageOf(baseLayer(), { entries }) });

    const paths = ["absolute", "through", "upwards"].map((name) => `${outside}/${name}`);
    const { exitCode, stdout } = await place.bunker(["run", "-q", place.name(), "cat", ...paths]);

    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "123" });
    expect(readdirSync(outside)).toEqual([]);
  });

  kernelTest("keeps a name with a line feed, and writes it in one line", PULL_NEEDS, async (sandbox) => {
    const hostile = { name: "srv/new\nline\u001b[31m", type: "hardlink", link: "nowhere" } as const;
    await using place = new PullPlace(sandbox, {
      "app:latest": imageOf(baseLayer(), {
        entries: [{ name: "srv/" }, { name: "srv/new\nline", data: "x" }],
      }),
      "hostile:latest": imageOf({ entries: [hostile] }),
    });

    const run = await place.bunker(["run", "-q", place.name(), "find", "/srv", "-type", "f", "-print0"]);
    const refusal = await place.refusal(["pull", "-q", place.name("hostile")]);

    expect({ exitCode: run.exitCode, stdout: run.stdout }).toEqual({
      exitCode: 0,
      stdout: "/srv/new\nline\0",
    });
    expect(refusal.because.join()).toContain("new\\nline\\u");
  });
});

describe("bunker pull onto a full disk", () => {
  kernelTest("says that the disk is full, and leaves room for what fits", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, {
      "good:latest": good,
      "app:latest": imageOf({ entries: [{ name: "large", data: noise(12_000_000) }] }),
    });
    mkdirSync(sandbox.root);
    await Bun.$`mount -t tmpfs -o size=8m bunker-test ${sandbox.root}`;
    try {
      await place.pull("good");
      const before = place.content();

      const refusal = await place.refusal(["pull", "-q", place.name()]);

      const { exitCode, message, hints } = refusal;
      expect({ exitCode, message }).toEqual({
        exitCode: 125,
        message: `Cannot pull image "${place.name()}:latest": the disk is full`,
      });
      expect(hints).toEqual(["Free some space, or move the data to another disk with --root"]);
      expect(place.content()).toEqual(before);
    } finally {
      await Bun.$`umount ${sandbox.root}`;
    }
  });

  kernelTest("says that no inodes are left, where that is so", PULL_NEEDS, async (sandbox) => {
    const entries = Array.from({ length: 3000 }, (_, index) => ({ name: `file-${index}` }));
    await using place = new PullPlace(sandbox, { "good:latest": good, "app:latest": imageOf({ entries }) });
    mkdirSync(sandbox.root);
    await Bun.$`mount -t tmpfs -o size=64m,nr_inodes=1000 bunker-test ${sandbox.root}`;
    try {
      await place.pull("good");
      const before = place.content();

      const { exitCode, message, hints } = await place.refusal(["pull", "-q", place.name()]);

      expect({ exitCode, message, hints }).toEqual({
        exitCode: 125,
        message: `Cannot pull image "${place.name()}:latest": no inodes are left`,
        hints: ["Remove files, or move the data to another disk with --root"],
      });
      expect(place.content()).toEqual(before);
    } finally {
      await Bun.$`umount ${sandbox.root}`;
    }
  });

  kernelTest("that is full before it begins says so, too", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, { "app:latest": good });
    mkdirSync(sandbox.root);
    await Bun.$`mount -t tmpfs -o size=64k bunker-test ${sandbox.root}`;
    try {
      await Bun.$`dd if=/dev/zero of=${sandbox.root}/filler bs=4k`.nothrow().quiet();

      const refusal = refusalOf(await place.bunker(["pull", "-q", place.name()]));

      expect({ exitCode: refusal.exitCode, message: refusal.message }).toEqual({
        exitCode: 125,
        message: `Cannot pull image "${place.name()}:latest": the disk is full`,
      });
    } finally {
      await Bun.$`umount ${sandbox.root}`;
    }
  });
});
