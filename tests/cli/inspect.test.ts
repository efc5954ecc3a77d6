/** `bunker inspect` and `history`: docker's shapes, templates, and text of images that would command a terminal. */
import { describe, expect } from "bun:test";
import { buildImage } from "../helpers/image_builder.ts";
import { PULL_NEEDS, PullPlace } from "../helpers/pull_place.ts";
import { kernelTest } from "../helpers/sandbox.ts";

const CLEAR = "\u001b[2J";
const history = [
  { created: "2001-02-03T04:05:06Z", created_by: "ADD rootfs.tar /", comment: "first" },
  { created: "2001-02-03T04:05:07Z", created_by: `ENV\n A=1 ${CLEAR}`, empty_layer: true },
  { created: "2001-02-03T04:05:08Z", created_by: `RUN ${"x".repeat(60)}` },
];
const image = buildImage({
  layers: [{ entries: [{ name: "a", data: "12345" }] }, { entries: [{ name: "b", data: "123" }] }],
  config: { Env: ["A=1"], Labels: { odd: CLEAR }, Healthcheck: { Test: ["NONE"] } },
  configDocument: { created: "2001-02-03T04:05:08Z", author: "me", history },
});
const images = { "app:latest": image };
const DIFF_IDS = image.layers.map(({ diffId }) => diffId);

describe("bunker inspect", () => {
  kernelTest("shows an image in docker's shape, by name and by id", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    await place.pull();
    await place.bunker(["tag", place.name(), "second:x"]);

    const { exitCode, stdout, stderr } = await place.bunker(["inspect", place.name()]);
    const byId = await place.bunker(["image", "inspect", image.configDigest.slice(7, 19)]);

    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    const [inspection] = JSON.parse(stdout) as object[];
    expect(inspection).toMatchObject({
      Id: image.configDigest,
      RepoTags: [`${place.name()}:latest`, "second:x"],
      RepoDigests: [`${place.name()}@${image.digest}`, `second@${image.digest}`],
      Created: "2001-02-03T04:05:08Z",
      Author: "me",
      Config: { Env: ["A=1"], Healthcheck: { Test: ["NONE"] } },
      Os: "linux",
      Size: 8,
      RootFS: { Type: "layers", Layers: DIFF_IDS },
      Descriptor: { digest: image.digest, size: image.bytes.length },
    });
    expect(stdout).not.toContain(CLEAR);
    expect(JSON.parse(byId.stdout)).toEqual([inspection]);
  });

  kernelTest("prints a line for each image by a template", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    await place.pull();
    const format = '{{.Id}} {{join .RootFS.Layers ","}} {{json .Config.Env}} {{.Config.Labels.odd}}';

    const { exitCode, stdout } = await place.bunker(["inspect", "-f", format, place.name(), place.name()]);

    const line = `${image.configDigest} ${DIFF_IDS.join(",")} ["A=1"] \\u{1b}[2J\n`;
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: line.repeat(2) });
  });

  kernelTest("has docker's empty values for what an image does not say", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, { "app:latest": buildImage({ layers: [], config: {} }) });
    await place.pull();
    const out = async (format: string): Promise<string> =>
      (await place.bunker(["inspect", "-f", format, place.name()])).stdout;

    expect(await out("{{.Config.User}}|{{.Config.WorkingDir}}|{{.Variant}}|{{.OsVersion}}")).toBe("|||\n");
    expect(await out("{{.Config.Entrypoint}}{{.Config.Labels}}{{.Config.Healthcheck}}")).toBe(
      "[]map[]<nil>\n",
    );
    expect(await out("{{json .Config.Entrypoint}}{{json .Config.Labels}}{{len .Config.Env}}")).toBe(
      "nullnull0\n",
    );
    expect(await out("{{eq .ID .Id}} {{json .Config}}")).toBe("true {}\n");
  });

  kernelTest("shows what is here, and fails for what is not", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    await place.pull();

    const { exitCode, stdout, stderr } = await place.bunker(["inspect", "nowhere", place.name()]);
    const none = await place.bunker(["inspect", "nowhere"]);

    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout)).toHaveLength(1);
    expect(stderr).toStartWith('bunker: Cannot find image "nowhere": it is not here\n');
    expect(none).toMatchObject({ exitCode: 1, stdout: "[]\n" });
  });
});

describe("bunker history", () => {
  kernelTest("shows the steps, newest first, with the sizes of their layers", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    await place.pull();

    const { exitCode, stdout, stderr } = await place.bunker(["history", place.name()]);

    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    const rows = stdout.trimEnd().split("\n");
    expect(rows.map((line) => line.split(/ {2,}/).filter((cell) => !cell.endsWith("ago")))).toEqual([
      ["IMAGE", "CREATED", "CREATED BY", "SIZE", "COMMENT"],
      [image.configDigest.slice(7, 19), `RUN ${"x".repeat(40)}…`, "3B", ""],
      ["<missing>", "ENV A=1 \\u{1b}[2J", "0B", ""],
      ["<missing>", "ADD rootfs.tar /", "5B", "first"],
    ]);
  });

  kernelTest("has exact values, docker's lines, ids and templates", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    await place.pull();
    const out = async (...words: string[]): Promise<string> =>
      (await place.bunker(["history", ...words, place.name()])).stdout;

    const steps = JSON.parse(await out("--json")) as Record<string, unknown>[];

    expect(steps.map(({ diffId, sizeBytes, createdBy }) => ({ diffId, sizeBytes, createdBy }))).toEqual([
      { diffId: DIFF_IDS[1], sizeBytes: 3, createdBy: history[2]?.created_by },
      { diffId: undefined, sizeBytes: 0, createdBy: history[1]?.created_by },
      { diffId: DIFF_IDS[0], sizeBytes: 5, createdBy: history[0]?.created_by },
    ]);
    expect(await out("-q", "--no-trunc")).toBe(`${image.configDigest}\n<missing>\n<missing>\n`);
    expect(await out("--format", "{{.Size}}", "--human=false")).toBe("3\n0\n5\n");
    expect(JSON.parse((await out("--format", "json")).split("\n")[2] ?? "")).toMatchObject({
      CreatedBy: "ADD rootfs.tar /",
      CreatedAt: "2001-02-03T04:05:06Z",
      Comment: "first",
    });
  });
});
