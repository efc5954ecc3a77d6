/**
 * A store on a disk that is read-only, full, or without inodes, and one whose files have times of another age: what only
 * looks works, what has to write says why it cannot, and removing an image always makes room.
 */
import { describe, expect } from "bun:test";
import { mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { buildImage } from "../helpers/image_builder.ts";
import { PULL_NEEDS, PullPlace } from "../helpers/pull_place.ts";
import { kernelTest, type Sandbox } from "../helpers/sandbox.ts";
import { baseLayer } from "../kernel/run/app.ts";

const app = buildImage({ layers: [baseLayer()], config: { Env: ["PATH=/bin"], Cmd: ["sh"] } });
const other = buildImage({ layers: [{ entries: [{ name: "other", data: "x".repeat(5000) }] }] });
const images = { "app:latest": app, "other:latest": other };
/** Many commands, on a disk that others use too. */
const TEST_MS_MAX = 60_000;

/** Commands that only look, with APP for the image. */
const looking: readonly (readonly string[])[] = [
  ["images"],
  ["inspect", "APP"],
  ["history", "APP"],
  ["system", "df"],
  ["system", "df", "-v"],
  ["system", "check"],
  ["image", "ls", "-R", "APP", "/"],
  ["image", "which", "APP", "/bin/sh"],
  ["image", "tree"],
  ["image", "mount"],
  ["pull", "-q", "APP"],
  ["save", "-o", "/dev/null", "APP"],
];
/** Commands that have to write. */
const writing: readonly (readonly string[])[] = [
  ["run", "--pull=never", "APP", "true"],
  ["tag", "APP", "another/name"],
  ["image", "mount", "APP"],
];

interface Condition {
  readonly name: string;
  /** Makes the data root, with the images in it. */
  readonly make: (place: PullPlace) => Promise<void>;
  readonly state: string;
  readonly canRemove: boolean;
}

const conditions: readonly Condition[] = [
  {
    name: "read-only",
    state: "the file system is read-only",
    canRemove: false,
    make: async (place) => {
      const { root } = place.sandbox;
      mkdirSync(root);
      await Bun.$`mount -t tmpfs bunker-test ${root}`;
      await pullAll(place);
      await Bun.$`mount -o remount,ro ${root}`;
    },
  },
  {
    name: "full",
    state: "the disk is full",
    canRemove: true,
    make: async (place) => {
      const { root } = place.sandbox;
      mkdirSync(root);
      await Bun.$`mount -t tmpfs -o size=16m bunker-test ${root}`;
      await pullAll(place);
      await Bun.$`dd if=/dev/zero of=${root}/filler bs=4k`.nothrow().quiet();
    },
  },
  {
    name: "without inodes",
    state: "no inodes are left",
    canRemove: true,
    make: async (place) => {
      const { root } = place.sandbox;
      mkdirSync(root);
      await Bun.$`mount -t tmpfs -o size=64m,nr_inodes=400 bunker-test ${root}`;
      await pullAll(place);
      fillInodes(root);
    },
  },
];

for (const { name, state, canRemove, make } of conditions) {
  describe(`a store on a disk that is ${name}`, () => {
    kernelTest(
      "is looked at as any other",
      PULL_NEEDS,
      async (sandbox) => {
        await using place = await placeWith(sandbox, make);

        for (const words of looking) {
          const { exitCode, stderr } = await place.bunker(wordsOf(place, words));
          expect({ words, exitCode, stderr }).toEqual({ words, exitCode: 0, stderr: "" });
        }
      },
      TEST_MS_MAX,
    );

    kernelTest(
      "says in one message why nothing can be written",
      PULL_NEEDS,
      async (sandbox) => {
        await using place = await placeWith(sandbox, make);

        for (const words of writing) {
          const { exitCode, message, hints } = await place.refusal(wordsOf(place, words));
          expect({ words, exitCode, message }).toEqual({
            words,
            exitCode: 125,
            message: `Cannot write to data root "${sandbox.root}": ${state}`,
          });
          expect(hints).toHaveLength(1);
        }
      },
      TEST_MS_MAX,
    );

    kernelTest(
      canRemove ? "gives room back by rmi" : "keeps its images, and says why",
      PULL_NEEDS,
      async (sandbox) => {
        await using place = await placeWith(sandbox, make);

        const removed = await place.bunker(["rmi", place.name()]);

        expect(removed.exitCode).toBe(canRemove ? 0 : 1);
        if (!canRemove) {
          expect(removed.stderr).toStartWith(
            `bunker: Cannot write to data root "${sandbox.root}": ${state}\n`,
          );
          return;
        }
        expect(removed).toMatchObject({ stderr: "" });
        expect(readdirSync(`${sandbox.root}/l`)).toEqual([`d${other.layers[0]?.diffId.slice(7, 31)}`]);
        expect(await place.bunker(["tag", place.name("other"), "another/name"])).toMatchObject({
          exitCode: 0,
        });
        const check = await place.bunker(["system", "check", "--full"]);
        expect(check).toMatchObject({ exitCode: 0, stderr: "" });
        expect((await place.bunker(["image", "prune", "-af"])).exitCode).toBe(0);
      },
      TEST_MS_MAX,
    );
  });
}

describe("a store whose files have times of another age", () => {
  const ages = [
    ["2100", 4_102_444_800],
    ["1970", 1],
  ] as const;
  for (const [year, seconds] of ages) {
    kernelTest(
      `works when they are of ${year}`,
      PULL_NEEDS,
      async (sandbox) => {
        await using place = new PullPlace(sandbox, images);
        await pullAll(place);
        await place.bunker(["run", "--pull=never", place.name(), "true"]);
        await Bun.$`find ${sandbox.root} -not -path "*/l/*" -exec touch -h -d @${seconds} {} +`;
        utimesSync(`${sandbox.root}/l`, seconds, seconds);

        const outputs: string[] = [];
        for (const words of [...looking, ...writing, ["image", "unmount", "--all"]]) {
          const { exitCode, stdout, stderr } = await place.bunker(wordsOf(place, words));
          expect({ words, exitCode, stderr }).toEqual({ words, exitCode: 0, stderr: "" });
          outputs.push(stdout);
        }
        const removed = await place.bunker(["rmi", place.name(), "another/name"]);
        const check = await place.bunker(["system", "check", "--full"]);

        expect(removed).toMatchObject({ exitCode: 0, stderr: "" });
        expect(check.stdout).toEndWith("no fault\n");
        expect(outputs.join("")).not.toContain("NaN");
      },
      TEST_MS_MAX,
    );
  }
});

async function pullAll(place: PullPlace): Promise<void> {
  for (const name of ["app", "other"]) await place.pull(name);
}

/** A place whose disk is gone when it is. */
async function placeWith(sandbox: Sandbox, make: Condition["make"]): Promise<PullPlace> {
  const place = new PullPlace(sandbox, images);
  await make(place);
  const dispose = place[Symbol.asyncDispose].bind(place);
  return Object.assign(place, {
    async [Symbol.asyncDispose]() {
      await Bun.$`umount ${sandbox.root}`;
      await dispose();
    },
  });
}

const wordsOf = (place: PullPlace, words: readonly string[]): string[] =>
  words.map((word) => (word === "APP" ? place.name() : word));

function fillInodes(root: string): void {
  for (let index = 0; ; index += 1) {
    try {
      writeFileSync(`${root}/filler-${index}`, "");
    } catch {
      // Not one more.
      return;
    }
  }
}
