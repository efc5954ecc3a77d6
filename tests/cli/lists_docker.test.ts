/** Lists of images beside docker's: the same images, the same options, the same lines. */
import { afterAll, beforeAll, describe, expect } from "bun:test";
import { type DockerEngine, startDockerEngine } from "../helpers/docker_engine.ts";
import { buildImage } from "../helpers/image_builder.ts";
import { PULL_NEEDS, PullPlace } from "../helpers/pull_place.ts";
import { type Need, whyMissing } from "../helpers/requires.ts";
import { kernelTest } from "../helpers/sandbox.ts";

const NEEDS: readonly Need[] = [...PULL_NEEDS, "docker engine"];
const START_MS_MAX = 120_000;
/** Many commands, on a disk that others use too. */
const TEST_MS_MAX = 120_000;

const imageOf = (name: string, created: string, labels: Readonly<Record<string, string>>) =>
  buildImage({
    layers: [{ entries: [{ name, data: name.repeat(100) }] }],
    config: { Labels: labels, Cmd: ["/bin/sh"] },
    configDocument: {
      created,
      history: [
        { created, created_by: `COPY ${name} /` },
        { created, created_by: `CMD ["/bin/sh"] ${"long ".repeat(20)}end`, empty_layer: true, comment: "c" },
      ],
    },
  });
const images = {
  "one:latest": imageOf("one", "2020-01-02T03:04:05.6Z", { stage: "test", team: "a" }),
  "two:latest": imageOf("two", "2021-01-02T03:04:05Z", { stage: "live" }),
  "three:latest": imageOf("three", "2022-12-31T23:59:59Z", {}),
  "four:latest": imageOf("four", "2024-02-29T00:00:00Z", { stage: "test" }),
};
/** Names that both get, and whose. */
const names = [
  ["tools/one:1", "one"],
  ["tools/one:latest", "one"],
  ["tools/two:2.0", "two"],
  ["base:latest", "three"],
  ["deep/er/name:x", "four"],
] as const;

let docker: DockerEngine;

beforeAll(async () => {
  if (whyMissing(NEEDS) === undefined) docker = await startDockerEngine();
}, START_MS_MAX);
afterAll(async () => {
  if (whyMissing(NEEDS) === undefined) await docker[Symbol.asyncDispose]();
});

const FORMAT = "{{.Repository}}|{{.Tag}}|{{.ID}}|{{.CreatedAt}}|{{.CreatedSince}}|{{.Size}}";

/** Options of `images`, each beside docker's answer. */
const lists: readonly (readonly string[])[] = [
  ["--format", FORMAT],
  ["--format", FORMAT, "--no-trunc"],
  ["--format", "table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.Size}}"],
  [],
  ["-a"],
  ["-q", "--format", FORMAT],
  ["--format", '{{printf "%-30s|%.4s|" .Repository .ID}}{{slice .ID 4 8}}{{join (split .ID "a") "\\t"}}'],
  ["--no-trunc"],
  ...[
    "dangling=false",
    "label=stage",
    "label=stage=test",
    "label=none",
    "reference=tools/*",
    "reference=*",
    "reference=*/*",
    "reference=*:latest",
    "reference=tools/[a-o]*:?",
    "before=base",
    "since=tools/one:1",
    "before=deep/er/name:x",
  ].map((filter) => ["--format", FORMAT, "--filter", filter]),
  ["--format", FORMAT, "--filter", "label=stage=test", "--filter", "reference=tools/*"],
  ["--format", FORMAT, "--filter", "reference=base", "--filter", "reference=deep/er/*"],
  ["--format", FORMAT, "tools/*"],
  ["--format", FORMAT, "base"],
  ["--format", FORMAT, "tools/one:1"],
  ["--format", FORMAT, "nothing"],
];

describe("bunker images, beside docker", () => {
  kernelTest(
    "lists the same, whatever is asked for",
    NEEDS,
    async (sandbox) => {
      await using place = await fill(sandbox);

      for (const words of lists) {
        const own = await place.bunker(["images", ...words]);
        const theirs = await docker.run(["images", ...words]);
        const answer = ({ exitCode, stdout }: typeof own) => ({ words, exitCode, lines: linesOf(stdout) });
        expect(answer(own)).toEqual(answer(theirs));
      }
    },
    TEST_MS_MAX,
  );

  kernelTest(
    "shows an image whose tag was taken as docker does",
    NEEDS,
    async (sandbox) => {
      await using place = await fill(sandbox);
      for (const run of [(words: string[]) => place.bunker(words), docker.run])
        await run(["tag", "base", "tools/two:2.0"]);
      const dangling = ["images", "--no-trunc", "--filter", "dangling=true", "--format", "{{.ID}} {{.Tag}}"];

      const [own, theirs] = [await place.bunker(dangling), await docker.run(dangling)];
      const all = ["images", "-q", "--no-trunc"];
      const [ownAll, theirAll] = [await place.bunker(all), await docker.run(all)];
      const prune = ["image", "prune", "-f"];
      const [ownPruned, theirPruned] = [await place.bunker(prune), await docker.run(prune)];

      expect(own.stdout).toBe(`${images["two:latest"].configDigest} <none>\n`);
      expect(own.stdout).toBe(theirs.stdout);
      expect(new Set(linesOf(ownAll.stdout))).toEqual(new Set(linesOf(theirAll.stdout)));
      for (const { stdout } of [ownPruned, theirPruned])
        expect(stdout).toContain(`deleted: ${images["two:latest"].configDigest}\n`);
      expect(linesOf((await place.bunker(dangling)).stdout)).toEqual([]);
    },
    TEST_MS_MAX,
  );
});

describe("bunker history, beside docker", () => {
  kernelTest(
    "tells the same steps",
    NEEDS,
    async (sandbox) => {
      await using place = await fill(sandbox);
      const format = "{{.ID}}|{{.CreatedBy}}|{{.CreatedAt}}|{{.CreatedSince}}|{{.Size}}|{{.Comment}}";

      for (const words of [
        ["--format", format],
        ["--format", format, "--no-trunc"],
        ["-q"],
        ["-H=false"],
        [],
      ]) {
        const own = await place.bunker(["history", ...words, "base"]);
        const theirs = await docker.run(["history", ...words, "base"]);
        expect({ words, lines: linesOf(own.stdout) }).toEqual({ words, lines: linesOf(theirs.stdout) });
      }
    },
    TEST_MS_MAX,
  );
});

/** Brings the images into both, by bunker's own archive. */
async function fill(sandbox: ConstructorParameters<typeof PullPlace>[0]): Promise<PullPlace> {
  const place = new PullPlace(sandbox, images);
  await docker.run(["image", "prune", "-af"]);
  for (const [name, source] of names) {
    await place.bunker(["pull", "-q", place.name(source)]);
    await place.bunker(["tag", place.name(source), name]);
  }
  for (const source of Object.keys(images)) await place.bunker(["rmi", place.name(source)]);
  const file = `${sandbox.directory}/all.tar`;
  await place.bunker(["save", "-o", file, ...names.map(([name]) => name)]);
  const { exitCode, stderr } = await docker.run(["load", "-i", file]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  return place;
}

/** Columns may be wider by what docker puts into them; lines of images with one time have no order. */
const linesOf = (text: string): string[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.replaceAll(/ {2,}/g, "  ").trimEnd())
    .sort();
