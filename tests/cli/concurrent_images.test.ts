/** Many bunkers at one store: what they want in common is fetched once, none waits for ever, and no image is ever half there. */
import { describe, expect } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { Lock } from "../../src/fs/lock.ts";
import type { Digest } from "../../src/oci/digest.ts";
import { layerLockPath } from "../../src/store/layers.ts";
import { type BuiltImage, buildImage, type LayerSpec } from "../helpers/image_builder.ts";
import type { PipedResult } from "../helpers/pipes.ts";
import { PULL_NEEDS, PullPlace } from "../helpers/pull_place.ts";
import { BLOBS, replace, stall } from "../helpers/registry_faults.ts";
import { noise } from "../helpers/registry_fixture.ts";
import { executable } from "../helpers/requires.ts";
import { kernelTest, type Sandbox } from "../helpers/sandbox.ts";
import { baseLayer, RUN_NEEDS } from "../kernel/run/app.ts";

const PULLS = 50;
const ROUNDS = Number(process.env["BUNKER_ROUNDS"] ?? "4");
const COMMAND_MS_MAX = 60_000;
const TEST_MS_MAX = 120_000 + ROUNDS * 20_000;
const STEP_MS = 10;
const WAITING_MS = 300;

const small: LayerSpec = { entries: [{ name: "etc/" }, { name: "etc/small", data: "s" }] };
const large: LayerSpec = { entries: [{ name: "large", data: noise(1_500_000) }] };
const images: Readonly<Record<string, BuiltImage>> = {
  "one:latest": buildImage({ layers: [large, small] }),
  "two:latest": buildImage({ layers: [large, { entries: [{ name: "two" }] }] }),
};
const layersOf = (...names: readonly string[]): readonly string[] => [
  ...new Set(
    names.flatMap((name) => images[`${name}:latest`]?.layers ?? []).map((each) => each.descriptor.digest),
  ),
];

describe("many pulls at once", () => {
  kernelTest(
    `of one image, by ${PULLS} processes, download each of its blobs and its manifest once`,
    PULL_NEEDS,
    async (sandbox) => {
      await using place = new PullPlace(sandbox, images);

      const results = await Promise.all(Array.from({ length: PULLS }, () => pull(place, "one")));

      expect(failuresIn(results)).toEqual([]);
      expect(downloads(place, layersOf("one"))).toEqual([1, 1]);
      expect(place.registry.count(BLOBS)).toBe(3);
      expect(place.registry.count(/^GET .*\/manifests\//)).toBe(1);
      expect(readdirSync(`${sandbox.root}/locks`).filter((name) => name.startsWith("pull-"))).toEqual([]);
      expect(await check(place)).toEndWith("no fault\n");
    },
    TEST_MS_MAX,
  );

  kernelTest("of one image say that they wait for the first", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    const { promise: seen, resolve: release } = Promise.withResolvers<void>();
    const held = replace({ on: /^GET .*\/manifests\//, times: 1 }, async (right) => {
      await seen;
      return right;
    });
    place.registry.break(held);
    const first = pull(place, "one");
    while (place.registry.count(/\/manifests\//) === 0) await Bun.sleep(STEP_MS);
    const file = `${sandbox.directory}/stderr`;
    const wrapper = ["sh", "-c", 'exec 2> "$0"; exec "$@"', file];

    const second = place.bunker(["pull", place.name("one")], { wrapper, timeoutMs: COMMAND_MS_MAX });
    while (!existsSync(file) || !readFileSync(file, "utf8").includes("Waiting")) await Bun.sleep(STEP_MS);
    release();

    expect(failuresIn([await first, await second])).toEqual([]);
    expect(readFileSync(file, "utf8")).toContain(
      `bunker: Waiting for another command that pulls "${place.name("one")}:latest", or a layer of it\n`,
    );
  });

  kernelTest(
    "of two images that share a layer download that once, too",
    PULL_NEEDS,
    async (sandbox) => {
      await using place = new PullPlace(sandbox, images);
      const names = Array.from({ length: 10 }, (_, index) => (index % 2 === 0 ? "one" : "two"));

      const results = await Promise.all(names.map((name) => pull(place, name)));

      expect(failuresIn(results)).toEqual([]);
      expect(downloads(place, layersOf("one", "two"))).toEqual([1, 1, 1]);
      expect(await check(place)).toContain("2 images: no fault\n");
    },
    TEST_MS_MAX,
  );

  kernelTest(
    "go on when the one that fetches for all of them is killed",
    PULL_NEEDS,
    async (sandbox) => {
      await using place = new PullPlace(sandbox, images);
      place.registry.break(stall(100, { on: BLOBS, times: 1, after: 1 }));
      const first = Bun.spawn([executable, "pull", "-q", place.name("one")], {
        env: environmentOf(sandbox, place),
        stdio: ["ignore", "ignore", "ignore"],
      });
      while (place.registry.count(BLOBS) < 2) await Bun.sleep(STEP_MS);
      const others = Promise.all(Array.from({ length: 5 }, () => pull(place, "one")));
      // Most likely they all wait by then; it is right whether they do or not.
      await Bun.sleep(WAITING_MS);

      first.kill("SIGKILL");
      await first.exited;

      expect(failuresIn(await others)).toEqual([]);
      // What the first has left is for the next command: the others had looked before.
      await place.bunker(["image", "prune", "-f"]);
      expect(await check(place)).toEndWith("no fault\n");
    },
    TEST_MS_MAX,
  );
});

describe("pulls, tags, removals, prunes and runs at once", () => {
  kernelTest(
    "leave a whole store, and none of them waits for ever",
    RUN_NEEDS,
    async (sandbox) => {
      const app = buildImage({
        layers: [baseLayer(), { entries: [{ name: "app" }] }],
        config: { Env: ["PATH=/bin"] },
      });
      const other = buildImage({ layers: [baseLayer(), { entries: [{ name: "other" }] }] });
      await using place = new PullPlace(sandbox, { "app:latest": app, "other:latest": other });
      const run = (...words: readonly string[]) => place.bunker(words, { timeoutMs: COMMAND_MS_MAX });
      const [name, second] = [place.name("app"), place.name("other")];

      for (let round = 0; round < ROUNDS; round += 1) {
        const results = await Promise.all([
          run("pull", "-q", name),
          run("pull", "-q", second),
          run("run", "-q", name, "true"),
          run("rmi", "-f", name),
          run("image", "prune", "-f"),
          run("run", "-q", "--rm", name, "true"),
          run("tag", second, "local/third:1"),
          run("rmi", "-f", second, "local/third:1"),
          run("pull", "-q", name),
          run("image", "prune", "-af"),
          run("images", "-q"),
          run("system", "check"),
        ]);

        expect(results.filter((result) => !isUnderstood(result))).toEqual([]);
        expect(await check(place)).toEndWith("no fault\n");
      }

      expect(await run("run", "-q", name, "true")).toMatchObject({ exitCode: 0, stderr: "" });
    },
    TEST_MS_MAX,
  );
});

describe("bunker system check --full", () => {
  kernelTest("has nothing to say of an image that is removed meanwhile", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    await place.pull("one");
    const diffIds = images["one:latest"]?.layers.map(({ diffId }) => diffId as Digest) ?? [];
    // It takes the locks in this order: before it has the first, the other layer can go.
    const [first = ""] = diffIds.sort();
    const lock = Lock.tryTake(layerLockPath(sandbox.root, first as Digest));

    const checking = place.bunker(["system", "check", "--full"]);
    while (readdirSync(`${sandbox.root}/tmp`).length === 0) await Bun.sleep(STEP_MS);
    const removed = await place.bunker(["rmi", place.name("one")]);
    lock?.[Symbol.dispose]();

    expect(removed).toMatchObject({ exitCode: 0, stderr: "" });
    expect(await checking).toMatchObject({ exitCode: 0, stderr: "" });
    await place.bunker(["image", "prune", "-f"]);
    expect(await check(place)).toEndWith("Checked 0 blobs (0B), 0 layers, 0 images: no fault\n");
  });
});

const pull = (place: PullPlace, name: string): Promise<PipedResult> =>
  place.bunker(["pull", "-q", place.name(name)], { timeoutMs: COMMAND_MS_MAX });

const failuresIn = (results: readonly PipedResult[]): readonly string[] =>
  results.filter(({ exitCode }) => exitCode !== 0).map(({ stderr }) => stderr);

/** How often each blob was asked for. */
const downloads = (place: PullPlace, digests: readonly string[]): readonly number[] =>
  digests.map((digest) => place.registry.count(new RegExp(`^GET .*/blobs/${digest}`)));

const check = async (place: PullPlace): Promise<string> => (await place.bunker(["system", "check"])).stdout;

/** It went well, or an image that another one had just removed was not here, or is used. */
function isUnderstood({ exitCode, stderr }: PipedResult): boolean {
  return exitCode === 0 || /it is not here|was removed|uses it/.test(stderr);
}

const environmentOf = ({ root, state }: Sandbox, { config }: PullPlace): Record<string, string> => ({
  PATH: process.env["PATH"] ?? "",
  HOME: "/",
  BUNKER_ROOT: root,
  BUNKER_STATE: state,
  BUNKER_CONFIG: config,
});
