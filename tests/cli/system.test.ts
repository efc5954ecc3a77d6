/** `bunker system`: what takes space, what goes when nothing needs it, and what a damaged store tells. */
import { describe, expect } from "bun:test";
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  copyFileSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { buildImage } from "../helpers/image_builder.ts";
import { PULL_NEEDS, PullPlace } from "../helpers/pull_place.ts";
import { kernelTest, type Sandbox } from "../helpers/sandbox.ts";
import { snapshotTree } from "../helpers/tree_snapshot.ts";

const STEP_MS = 10;

const one = buildImage({
  layers: [{ entries: [{ name: "a", data: "12345" }] }],
  config: { Labels: { n: "1" } },
});
const two = buildImage({
  layers: [{ entries: [{ name: "b", data: "123" }] }],
  config: { Labels: { n: "2" } },
});
const images = { "one:latest": one, "two:latest": two };

describe("bunker system df", () => {
  kernelTest(
    "counts images and compressed layers, and what could be had back",
    PULL_NEEDS,
    async (sandbox) => {
      await using place = new PullPlace(sandbox, images);
      for (const name of ["one", "two"]) await place.pull(name);
      const stray = "content of no image";
      const digest = new Bun.CryptoHasher("sha256").update(stray).digest("hex");
      writeFileSync(`${sandbox.root}/blobs/sha256/${digest}`, stray);

      const table = await place.bunker(["system", "df"]);
      const json = JSON.parse((await place.bunker(["system", "df", "--json"])).stdout) as Usage[];
      const types = await place.bunker(["system", "df", "--format", "{{.Type}}"]);

      expect(table).toMatchObject({ exitCode: 0, stderr: "" });
      expect(table.stdout).toMatch(
        /^TYPE +TOTAL +ACTIVE +SIZE +RECLAIMABLE\nImages +2 +0 +8B +8B \(100%\)\n/,
      );
      const blobs = json.find(({ type }) => type === "Blobs");
      expect(blobs).toMatchObject({ total: 7, active: 6, reclaimableBytes: stray.length });
      expect(types.stdout).toBe("Images\nBlobs\nContainers\nCompiled Programs\n");
    },
  );

  kernelTest(
    "shows with -v what images have of their own, and what they share",
    PULL_NEEDS,
    async (sandbox) => {
      const shared = { entries: [{ name: "shared", data: "x".repeat(1000) }] };
      const own = { entries: [{ name: "own", data: "y".repeat(200) }] };
      await using place = new PullPlace(sandbox, {
        "small:latest": buildImage({ layers: [shared] }),
        "large:latest": buildImage({ layers: [shared, own] }),
      });
      for (const name of ["small", "large"]) await place.pull(name);

      const text = await place.bunker(["system", "df", "-v"]);
      const json = await place.bunker(["system", "df", "-v", "--json"]);
      const template = await place.refusal(["system", "df", "-v", "--format", "{{.Type}}"]);

      expect(text).toMatchObject({ exitCode: 0, stderr: "" });
      const rows = text.stdout.split("\n").map((line) => line.split(/ {2,}/));
      const row = (name: string) => rows.find(([first]) => first === place.name(name))?.slice(4);
      expect(row("large")).toEqual(["1.2kB", "1kB", "200B", "0"]);
      expect(row("small")).toEqual(["1kB", "1kB", "0B", "0"]);
      const details = JSON.parse(json.stdout) as {
        layers: readonly { sizeBytes: number; images: number; entries: number }[];
        disk: { totalBytes: number };
      };
      expect(
        details.layers
          .map(({ sizeBytes, images: count, entries }) => ({ sizeBytes, images: count, entries }))
          .sort((a, b) => a.sizeBytes - b.sizeBytes),
      ).toEqual([
        { sizeBytes: 200, images: 1, entries: 1 },
        { sizeBytes: 1000, images: 2, entries: 1 },
      ]);
      expect(details.disk.totalBytes).toBeGreaterThan(0);
      expect(template.message).toStartWith("--verbose has no templates");
    },
  );

  kernelTest("shows what the disk has left of space and inodes", PULL_NEEDS, async (sandbox) => {
    mkdirSync(sandbox.root);
    await Bun.$`mount -t tmpfs -o size=8m,nr_inodes=500 bunker-test ${sandbox.root}`;
    try {
      const { stdout } = await sandbox.bunker(["system", "df"]);

      expect(stdout).toEndWith("\nLeft on the disk: 8.39MB of 8.39MB, 499 of 500 inodes\n");
    } finally {
      await Bun.$`umount ${sandbox.root}`;
    }
  });

  kernelTest("makes nothing where nothing was pulled", PULL_NEEDS, async (sandbox) => {
    const { exitCode, stdout } = await sandbox.bunker(["system", "df", "--format", "{{.TotalCount}}"]);

    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "0\n0\n0\n0\n" });
    expect(await Bun.file(`${sandbox.root}/version`).exists()).toBeFalse();
  });
});

describe("bunker system prune", () => {
  kernelTest(
    "removes what killed commands have left, and with -a every image",
    PULL_NEEDS,
    async (sandbox) => {
      await using place = new PullPlace(sandbox, images);
      await place.pull("one");
      mkdirSync(`${sandbox.root}/tmp/dead/layer`, { recursive: true });
      mkdirSync(`${sandbox.root}/c/0123456789ab/rw/upper`, { recursive: true });

      const some = await place.bunker(["system", "prune", "-f"]);
      const left = [readdirSync(`${sandbox.root}/tmp`), readdirSync(`${sandbox.root}/c`)];
      const all = await place.bunker(["system", "prune", "-af"]);

      expect(some).toMatchObject({ exitCode: 0, stderr: "", stdout: "Total reclaimed space: 0B\n" });
      expect(left).toEqual([[], []]);
      expect(all.stdout).toContain(`untagged: ${place.name("one")}:latest\ndeleted: `.split("\n")[0] ?? "");
      expect(all.stdout).toContain(`deleted: ${one.configDigest}\n`);
      expect(readdirSync(`${sandbox.root}/blobs/sha256`)).toEqual([]);
    },
  );
});

describe("bunker system check", () => {
  kernelTest("removes nothing that a pull has brought anew meanwhile", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    await place.pull("one");
    const [layer = ""] = one.layers.map(({ descriptor }) => descriptor.digest.slice("sha256:".length));
    const pipe = makePipeBehind(`${sandbox.root}/blobs/sha256`, layer);

    const repairing = place.bunker(["system", "check", "--repair", "--json"]);
    const fd = await openForWriting(pipe);
    await place.pull("one");
    closeSync(fd);

    const { removed } = JSON.parse((await repairing).stdout) as { removed: readonly string[] };
    expect(removed).toEqual([pipe.slice(sandbox.root.length + 1)]);
    expect((await place.bunker(["system", "check"])).stdout).toEndWith("no fault\n");
  });

  kernelTest("finds no fault in what was pulled", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    for (const name of ["one", "two"]) await place.pull(name);

    const { exitCode, stdout, stderr } = await place.bunker(["system", "check"]);

    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toMatch(/^Checked 6 blobs \([0-9.]+k?B\), 2 layers, 2 images: no fault\n$/);
  });

  const damages: ReadonlyArray<readonly [what: string, damage: (sandbox: Sandbox) => void, line: RegExp]> = [
    [
      "a manifest with other content",
      ({ root }) => writeFileSync(blobOf(root, one.digest), "{}"),
      /^blobs\/sha256\/[0-9a-f]{64}: its content has the digest sha256:/m,
    ],
    [
      "a configuration that is missing",
      ({ root }) => rmSync(blobOf(root, one.configDigest)),
      /^refs\/.*: its document sha256:[0-9a-f]{64} is missing or damaged$/m,
    ],
    [
      "an image's record that is damaged",
      ({ root }) => {
        const [name] = readdirSync(`${root}/refs`);
        writeFileSync(`${root}/refs/${name}/one/:latest.json`, "");
      },
      /^refs\/.*\/one\/:latest\.json: its record cannot be read$/m,
    ],
  ];
  for (const [what, damage, line] of damages) {
    kernelTest(`tells of ${what}, and repairs it by removing`, PULL_NEEDS, async (sandbox) => {
      await using place = new PullPlace(sandbox, images);
      for (const name of ["one", "two"]) await place.pull(name);
      damage(sandbox);

      const found = await place.bunker(["system", "check"]);
      const repaired = await place.bunker(["system", "check", "--repair"]);
      const after = await place.bunker(["system", "check"]);

      expect(found).toMatchObject({ exitCode: 1, stderr: "" });
      expect(found.stdout).toMatch(line);
      expect(repaired).toMatchObject({ exitCode: 0, stderr: "" });
      expect(repaired.stdout).toMatch(/^Removed: /m);
      expect(after.stdout).toMatch(/^Checked 3 blobs \([0-9.]+k?B\), 1 layers, 1 images: no fault\n$/);
      const left = await place.bunker(["images", "-q", "--no-trunc"]);
      expect(left.stdout).toBe(`${two.configDigest}\n`);
      await place.pull("one");
      expect(await place.bunker(["system", "check"])).toMatchObject({ exitCode: 0 });
    });
  }

  const mendable: ReadonlyArray<readonly [what: string, damage: (sandbox: Sandbox) => void, line: RegExp]> = [
    [
      "an unpacked layer that is missing",
      ({ root }) => renameSync(`${root}/l/${layerOf(one)}`, `${root}/gone`),
      /^layers\/d[0-9a-f]{24}\.json: its directory is missing$/m,
    ],
    [
      "a layer's record that is damaged",
      ({ root }) => writeFileSync(`${root}/layers/${layerOf(one)}.json`, "\0\0\0"),
      /^layers\/d[0-9a-f]{24}\.json: its record cannot be read$/m,
    ],
  ];
  for (const [what, damage, line] of mendable) {
    kernelTest(`tells of ${what}, and unpacks it again`, PULL_NEEDS, async (sandbox) => {
      await using place = new PullPlace(sandbox, images);
      place.keepDirectories();
      await place.pull("one");
      const before = unpackedIn(sandbox);
      damage(sandbox);

      const found = await place.bunker(["system", "check"]);
      const repaired = await place.bunker(["system", "check", "--repair"]);

      expect(found).toMatchObject({ exitCode: 1, stderr: "" });
      expect(found.stdout).toMatch(line);
      expect(repaired).toMatchObject({ exitCode: 0, stderr: "" });
      expect(repaired.stdout).toMatch(/^Unpacked again: l\/d[0-9a-f]{24}$/m);
      rmSync(`${sandbox.root}/gone`, { recursive: true, force: true });
      expect(unpackedIn(sandbox)).toEqual(before);
      expect(await place.bunker(["system", "check", "--full"])).toMatchObject({ exitCode: 0 });
    });
  }

  kernelTest(
    "keeps an image whose compressed layer is damaged, since it runs",
    PULL_NEEDS,
    async (sandbox) => {
      await using place = new PullPlace(sandbox, images);
      await place.pull("one");
      writeFileSync(blobOf(sandbox.root, one.layers[0]?.descriptor.digest ?? ""), "x");

      const repaired = await place.bunker(["system", "check", "--repair"]);

      expect(repaired.stdout).toContain("it runs, but cannot be saved");
      expect((await place.bunker(["images", "-q", "--no-trunc"])).stdout).toBe(`${one.configDigest}\n`);
    },
  );
});

describe("bunker system check --full", () => {
  const bottom = {
    entries: [
      { name: "./", mtime: 1_600_000_000 },
      { name: "bin/", mode: 0o755 },
      { name: "bin/sh", data: "shell", mode: 0o755, mtime: 1_600_000_000 },
      { name: "bin/ash", type: "hardlink", link: "bin/sh", mode: 0o755, mtime: 1_600_000_000 },
      { name: "lib", type: "symlink", link: "bin" },
    ],
  };
  // Takes the attributes of bin/ from below.
  const above = {
    entries: [
      { name: "bin/more", data: "more" },
      { name: "lib/x", data: "x" },
    ],
  };
  const app = buildImage({ layers: [bottom, above] });

  const changes: ReadonlyArray<readonly [what: string, change: (layer: string) => void, line: string]> = [
    ["content", (layer) => writeFileSync(`${layer}/bin/sh`, "shelf"), '"bin/sh" has other content'],
    ["a mode", (layer) => chmodSync(`${layer}/bin/sh`, 0o4755), '"bin/sh" has another mode'],
    ["an owner", (layer) => chownSync(`${layer}/bin`, 7, 0), '"bin" has another owner'],
    ["a file more", (layer) => writeFileSync(`${layer}/bin/new`, ""), '"bin/new" does not belong there'],
    ["a file less", (layer) => rmSync(`${layer}/lib`), '"lib" is missing'],
    ["a time", (layer) => utimesSync(`${layer}/bin/sh`, 1, 2), '"bin/sh" has another time'],
    [
      "a hard link that is none",
      (layer) => {
        renameSync(`${layer}/bin/ash`, `${layer}/bin/old`);
        copyFileSync(`${layer}/bin/old`, `${layer}/bin/ash`);
        utimesSync(`${layer}/bin/ash`, 1_600_000_000, 1_600_000_000);
        rmSync(`${layer}/bin/old`);
      },
      "has other hard links",
    ],
    [
      "a whiteout",
      (layer) => Bun.spawnSync(["mknod", `${layer}/etc`, "c", "0", "0"]),
      '"etc" does not belong there',
    ],
  ];
  for (const [what, change, line] of changes) {
    kernelTest(`finds ${what}, names it, and unpacks the layer again`, PULL_NEEDS, async (sandbox) => {
      await using place = new PullPlace(sandbox, { "app:latest": app });
      place.keepDirectories();
      await place.pull();
      const before = unpackedIn(sandbox);
      const layer = `l/d${app.layers[0]?.diffId.slice(7, 31)}`;
      change(`${sandbox.root}/${layer}`);

      const quick = await place.bunker(["system", "check"]);
      const full = await place.bunker(["system", "check", "--full"]);
      const repaired = await place.bunker(["system", "check", "--full", "--repair"]);

      expect(quick.exitCode).toBe(0);
      expect(full).toMatchObject({ exitCode: 1, stderr: "" });
      expect(full.stdout).toContain(line);
      expect(full.stdout).toMatch(new RegExp(`^${layer}: "`, "m"));
      expect(repaired).toMatchObject({ exitCode: 0, stderr: "" });
      expect(repaired.stdout).toContain(`Unpacked again: ${layer}\n`);
      expect(unpackedIn(sandbox)).toEqual(before);
    });
  }

  kernelTest("finds no fault in layers that were completed from below", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, { "app:latest": app });
    place.keepDirectories();
    await place.pull();

    const check = await place.bunker(["system", "check", "--full", "--json"]);

    expect(JSON.parse(check.stdout)).toMatchObject({ layers: 2, faults: [], mended: [], left: [] });
    expect(
      readdirSync(`${sandbox.root}/l`)
        .map((name) => name[0])
        .sort(),
    ).toEqual(["c", "d"]);
  });

  kernelTest("leaves a layer that is mounted, and says so", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, { "app:latest": app });
    place.keepDirectories();
    await place.pull();
    const layer = `l/d${app.layers[0]?.diffId.slice(7, 31)}`;
    writeFileSync(`${sandbox.root}/${layer}/bin/sh`, "shelf");
    await place.bunker(["image", "mount", place.name()]);

    const used = await place.bunker(["system", "check", "--full", "--repair"]);
    await place.bunker(["image", "unmount", "--all"]);
    const free = await place.bunker(["system", "check", "--full", "--repair"]);

    expect(used).toMatchObject({ exitCode: 1, stderr: "" });
    expect(used.stdout).toContain(`In use, left as it is: ${layer}\n`);
    expect(free.stdout).toContain(`Unpacked again: ${layer}\n`);
  });
});

interface Usage {
  readonly type: string;
  readonly reclaimableBytes: number;
}

/** Layers with their records; times of directories change with what comes and goes in them. */
const unpackedIn = ({ root }: Sandbox): unknown => ({
  layers: snapshotTree(`${root}/l`, (_, { type }) => (type === "directory" ? { mtime: "" } : {})),
  records: readdirSync(`${root}/layers`).map((name) => readFileSync(`${root}/layers/${name}`, "utf8")),
});

const blobOf = (root: string, digest: string): string => `${root}/blobs/sha256/${digest.slice(7)}`;

const layerOf = ({ layers }: typeof one): string => `d${layers[0]?.diffId.slice(7, 31)}`;

/**
 * Cuts a blob short, and makes a pipe with the name of another that is read after it: whoever reads the pipe has read the
 * blob. @returns the pipe's path
 */
function makePipeBehind(directory: string, blob: string): string {
  for (let attempt = 0; ; attempt += 1) {
    const name = new Bun.CryptoHasher("sha256").update(String(attempt)).digest("hex");
    Bun.spawnSync(["mkfifo", `${directory}/${name}`]);
    // Some file systems list what is new at the end, some at the beginning, some by the names.
    if (attempt % 2 === 1) rmSync(`${directory}/${blob}`);
    writeFileSync(`${directory}/${blob}`, "x");
    const names = readdirSync(directory);
    if (names.indexOf(name) > names.indexOf(blob)) return `${directory}/${name}`;
    rmSync(`${directory}/${name}`);
  }
}

/** Opens a pipe once somebody reads it. */
async function openForWriting(path: string): Promise<number> {
  for (;;) {
    try {
      return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENXIO") throw error;
      await Bun.sleep(STEP_MS);
    }
  }
}
