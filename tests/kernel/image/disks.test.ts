/** Disks that are full, out of inodes, or read-only: each command says so in one message, the store stays whole, and removing works. */
import { describe, expect } from "bun:test";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { buildImage } from "../../helpers/image_builder.ts";
import { PULL_NEEDS, PullPlace, refusalOf } from "../../helpers/pull_place.ts";
import { noise } from "../../helpers/registry_fixture.ts";
import { kernelTest, type Sandbox } from "../../helpers/sandbox.ts";

const good = buildImage({ layers: [{ entries: [{ name: "good", data: noise(100_000) }] }] });
const other = buildImage({
  layers: [
    {
      entries: Array.from({ length: 300 }, (_, index) => ({ name: `file-${index}`, data: noise(4000) })),
    },
  ],
});
const images = { "good:latest": good, "other:latest": other };
const TEST_MS_MAX = 90_000;

type Fill = (path: string) => Promise<void>;
/** Until nothing more fits. */
const fillBytes: Fill = async (path) => {
  await Bun.$`dd if=/dev/zero of=${path}/filler bs=4k`.nothrow().quiet();
};
const fillInodes: Fill = async (path) => {
  try {
    for (let count = 0; ; count += 1) writeFileSync(`${path}/filler-${count}`, "");
  } catch {
    // There are no more.
  }
};
const makeReadOnly: Fill = async (path) => {
  await Bun.$`mount -o remount,ro ${path}`.quiet();
};

const disks: ReadonlyArray<readonly [what: string, options: string, fill: Fill, message: RegExp]> = [
  ["full", "size=4m", fillBytes, /: the disk is full$/],
  ["out of inodes", "nr_inodes=120", fillInodes, /: no inodes are left$/],
  ["read-only", "size=4m", makeReadOnly, /: the (?:disk|file system) is read-only$/],
];

describe("a disk that is", () => {
  for (const [what, options, fill, message] of disks) {
    kernelTest(
      `${what} is the one reason that pull, load and tag give, and the store stays whole`,
      PULL_NEEDS,
      async (sandbox) => {
        await using place = new PullPlace(sandbox, images);
        const archive = `${sandbox.directory}/archive.tar`;
        await saveElsewhere(place, archive);
        using _ = await mounted(sandbox, options);
        await place.pull("good");
        const before = place.content();
        await fill(sandbox.root);

        const refusals = [];
        for (const words of [
          ["pull", "-q", place.name("other")],
          ["load", "-q", "-i", archive],
          ["tag", place.name("good"), "local/second:1"],
        ])
          refusals.push(refusalOf(await place.bunker(words)));

        for (const { exitCode, message: first, because, hints } of refusals) {
          expect([exitCode, [first, ...because].join("\n")]).toEqual([
            125,
            expect.stringMatching(new RegExp(message, "m")),
          ]);
          expect(hints.length).toBeGreaterThan(0);
        }
        await Bun.$`mount -o remount,rw ${sandbox.root}; rm -f ${sandbox.root}/filler*`.quiet().nothrow();
        expect(await place.bunker(["image", "prune", "-f"])).toMatchObject({ exitCode: 0 });
        expect(withoutTimes(place.content())).toEqual(withoutTimes(before));
        expect(await place.bunker(["system", "check"])).toMatchObject({ exitCode: 0 });
      },
      TEST_MS_MAX,
    );
  }

  for (const [what, options, fill] of disks.slice(0, 2)) {
    kernelTest(
      `${what} lets rmi make room`,
      PULL_NEEDS,
      async (sandbox) => {
        await using place = new PullPlace(sandbox, images);
        using _ = await mounted(sandbox, options);
        await place.pull("good");
        await fill(sandbox.root);

        const { exitCode, stdout, stderr } = await place.bunker(["rmi", place.name("good")]);

        expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
        expect(stdout).toContain(`Deleted: ${good.configDigest}\n`);
        await Bun.$`rm -f ${sandbox.root}/filler*`.quiet().nothrow();
        await place.pull("good");
      },
      TEST_MS_MAX,
    );
  }

  kernelTest(
    "an overlay above a store lets its layers be removed and put in place again",
    PULL_NEEDS,
    async (sandbox) => {
      await using place = new PullPlace(sandbox, images);
      place.keepDirectories();
      await place.pull("good");
      await place.pull("other");
      using _ = await overlaid(sandbox);

      const removed = await place.bunker(["rmi", place.name("good")]);
      // As a kill in the middle of another rmi leaves it: a layer without its record.
      for (const name of ["refs", "layers"])
        for (const entry of readdirSync(`${sandbox.root}/${name}`))
          rmSync(`${sandbox.root}/${name}/${entry}`, { recursive: true });
      await place.pull("other");
      await place.pull("good");

      expect(removed).toMatchObject({ exitCode: 0, stderr: "" });
      expect(await place.bunker(["system", "check", "--full"])).toMatchObject({ exitCode: 0 });
      expect(await place.bunker(["image", "prune", "-a", "-f"])).toMatchObject({ exitCode: 0 });
      expect(readdirSync(`${sandbox.root}/l`)).toEqual([]);
    },
    TEST_MS_MAX,
  );

  kernelTest("read-only lets what only reads work", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    using _ = await mounted(sandbox, "size=4m");
    await place.pull("good");
    await makeReadOnly(sandbox.root);

    const results = [];
    for (const words of [
      ["images", "-q"],
      ["inspect", place.name("good")],
      ["history", place.name("good")],
      ["save", "-o", `${sandbox.directory}/saved.tar`, place.name("good")],
      ["system", "df"],
      ["system", "check"],
      ["image", "ls", place.name("good"), "/"],
    ])
      results.push([words[0], await place.bunker(words)] as const);

    for (const [name, { exitCode, stderr }] of results)
      expect({ name, exitCode, stderr }).toEqual({ name, exitCode: 0, stderr: "" });
  });
});

/** The images in an archive, made in another store. */
async function saveElsewhere(place: PullPlace, path: string): Promise<void> {
  const root = `${place.sandbox.directory}/elsewhere`;
  const name = place.name("other");
  for (const words of [
    ["pull", "-q", name],
    ["save", "-o", path, name],
  ]) {
    const { exitCode, stderr } = await place.bunker(["--root", root, ...words]);
    if (exitCode !== 0) throw new Error(stderr);
  }
}

/** A disk of its own for the store. */
async function mounted({ root }: Sandbox, options: string): Promise<Disposable> {
  mkdirSync(root);
  await Bun.$`mount -t tmpfs -o ${options} bunker-test ${root}`;
  return {
    [Symbol.dispose]() {
      Bun.spawnSync(["umount", root]);
    },
  };
}

/** The store as the lower layer of an overlay, as where it came with the image of a container. */
async function overlaid({ root, directory }: Sandbox): Promise<Disposable> {
  const scratch = `${directory}/scratch`;
  mkdirSync(scratch);
  await Bun.$`mount -t tmpfs bunker-test ${scratch}`;
  mkdirSync(`${scratch}/upper`);
  mkdirSync(`${scratch}/work`);
  const options = `lowerdir=${root},upperdir=${scratch}/upper,workdir=${scratch}/work`;
  await Bun.$`mount -t overlay -o ${options} bunker-test ${root}`;
  return {
    [Symbol.dispose]() {
      Bun.spawnSync(["umount", root]);
      Bun.spawnSync(["umount", scratch]);
    },
  };
}

/** The index may have been written again. */
function withoutTimes(content: ReturnType<PullPlace["content"]>): object {
  return Object.fromEntries(Object.entries(content).map(([path, node]) => [path, { ...node, mtime: "" }]));
}
