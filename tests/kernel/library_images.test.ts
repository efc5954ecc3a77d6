/** The library's functions that bring images and take them away, in this program and in one of an ordinary user. */
import { describe, expect } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  copyImage,
  exportImage,
  images,
  importImage,
  type LibraryContext,
  loadImages,
  pull,
  push,
  removeImage,
  saveImages,
} from "bunker";
import { serveRegistry } from "../helpers/fake_registry.ts";
import { buildImage } from "../helpers/image_builder.ts";
import { runPiped } from "../helpers/pipes.ts";
import { PullPlace } from "../helpers/pull_place.ts";
import { drip } from "../helpers/registry_faults.ts";
import type { Need } from "../helpers/requires.ts";
import { kernelTest } from "../helpers/sandbox.ts";

const NEEDS: readonly Need[] = ["root", "overlayfs"];
const MEBIBYTE = 1 << 20;
/** Random, so that it stays large. */
const content = crypto.getRandomValues(new Uint8Array(65_536));
const large = Buffer.concat(Array.from({ length: (2 * MEBIBYTE) / content.length }, () => content));
const app = buildImage({
  layers: [{ entries: [{ name: "small", data: "1" }] }, { entries: [{ name: "large", data: large }] }],
});
const digests = app.layers.map(({ descriptor }) => descriptor.digest.slice("sha256:".length).slice(0, 12));

describe("pull()", () => {
  kernelTest("tells how each layer goes on, and what came", NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, { app });
    const pulling = pull(place.name(), {}, contextOf(place));
    const last = new Map<string, string>();
    for await (const { layer, state } of pulling) last.set(layer, state);

    expect(await pulling).toMatchObject({ digest: app.digest, status: "downloaded" });
    expect([...last].sort()).toEqual(digests.map((digest): [string, string] => [digest, "done"]).sort());
    expect(await pull(place.name(), {}, contextOf(place))).toMatchObject({ status: "up-to-date" });
  });

  kernelTest("ends when it is told to, and leaves nothing", NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, { app });
    place.registry.break(drip(1000, 5));
    const stop = new AbortController();

    const pulling = pull(place.name(), { signal: stop.signal }, contextOf(place));
    let failure: unknown;
    try {
      for await (const { current } of pulling) if (current > 0) stop.abort(new Error("enough"));
    } catch (error) {
      failure = error;
    }

    expect(failure).toMatchObject({ message: "enough" });
    expect(await images(contextOf(place))).toEqual([]);
    expect(Object.keys(place.content()).filter((path) => /^(?:tmp|l|layers|refs)\/./.test(path))).toEqual([]);
  });

  kernelTest("rejects with the error that the command prints", NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, { app });

    const failure = pull(place.name("other"), {}, contextOf(place));

    expect(failure).rejects.toMatchObject({ code: "IMAGE_NOT_FOUND" });
    await failure.catch(() => undefined);
  });
});

describe("push(), saveImages() and loadImages()", () => {
  kernelTest("carry an image on, digest for digest", NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, { app });
    const context = contextOf(place);
    const archive = `${sandbox.directory}/app.tar`;
    await pull(place.name(), {}, context);
    await place.registry.stop();
    await using emptied = serveRegistry({ port: Number(place.registry.host.split(":")[1]) });

    const pushing = push(place.name(), {}, context);
    const states = new Set<string>();
    for await (const { state } of pushing) states.add(state);
    await Bun.write(archive, new Response(saveImages([place.name()], {}, context)));
    await removeImage(place.name(), {}, context);
    const loaded = await loadImages(archive, {}, context);

    expect((await pushing).map(({ digest }) => digest)).toEqual([app.digest]);
    expect(states.has("pushed")).toBeTrue();
    expect(emptied.content("app")?.tags.get("latest")).toBe(app.digest);
    expect(loaded.map(({ id }) => id)).toEqual([app.configDigest]);
  });
});

describe("copyImage()", () => {
  kernelTest("copies to a layout, tells the layers, and leaves the store alone", NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, { app });
    const to = `oci:${sandbox.directory}/layout:app`;
    const copying = copyImage({ from: place.name(), to }, contextOf(place));
    const layers = new Set<string>();
    for await (const { layer } of copying) layers.add(layer);

    expect(await copying).toMatchObject({ status: "copied", digest: app.digest });
    expect([...layers].sort()).toEqual([...digests].sort());
    expect(await images(contextOf(place))).toEqual([]);
  });

  kernelTest("that was ended before it began makes nothing", NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, { app });
    const request = { from: place.name(), to: `oci:${sandbox.directory}/layout:app` };
    const signal = AbortSignal.abort(new Error("enough"));

    const copying = copyImage({ ...request, signal }, contextOf(place));

    expect(copying).rejects.toThrow("enough");
    await copying.catch(() => undefined);
    expect(existsSync(`${sandbox.directory}/layout`)).toBeFalse();
  });
});

describe("exportImage() and importImage()", () => {
  kernelTest("give the files of an image, and make an image of them", NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, { app });
    const context = contextOf(place);
    const output = `${sandbox.directory}/files.tar`;
    await pull(place.name(), {}, context);

    await exportImage(place.name(), { output }, context);
    const again = await exportImage(place.name(), { output }, context).catch(({ code }) => code);
    const id = await importImage(output, { reference: "made:1", changes: ["CMD /small"] }, context);

    expect(Bun.spawnSync(["tar", "-tf", output]).stdout.toString()).toBe("large\nsmall\n");
    expect(again).toBe("EEXIST");
    expect(await images(context)).toContainEqual(
      expect.objectContaining({ id, repository: "made", tag: "1" }),
    );
  });

  kernelTest("leaves no file when there is no such image", NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, { app });
    const output = `${sandbox.directory}/files.tar`;

    const failure = await exportImage("nothing", { output }, contextOf(place)).catch((error) => error);

    expect(failure).toMatchObject({ code: "IMAGE_NOT_FOUND" });
    expect(await Bun.file(output).exists()).toBeFalse();
  });
});

describe("a program that Bun compiles, with the library inside", () => {
  kernelTest("pulls without threads, which have no file there", NEEDS, async (sandbox) => {
    const pieces = Array.from({ length: 140 }, () => crypto.getRandomValues(new Uint8Array(65_536)));
    const image = buildImage({ layers: [{ entries: [{ name: "data", data: Buffer.concat(pieces) }] }] });
    await using place = new PullPlace(sandbox, { app: image });
    const [source, program] = [`${sandbox.directory}/app.ts`, `${sandbox.directory}/app`];
    const library = join(import.meta.dir, "../../src/engine/api.ts");
    await Bun.write(
      source,
      `import { pull } from ${JSON.stringify(library)};
      const context = ${JSON.stringify(contextOf(place))};
      console.log(JSON.stringify(await pull(${JSON.stringify(place.name())}, {}, context)));`,
    );
    const built = Bun.spawnSync([process.execPath, "build", "--compile", source, "--outfile", program]);
    expect(built.exitCode).toBe(0);

    const { stdout, stderr } = await runPiped([program]);

    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toMatchObject({ digest: image.digest, status: "downloaded" });
  });
});

const contextOf = ({ sandbox, config }: PullPlace): LibraryContext => ({
  root: sandbox.root,
  state: sandbox.state,
  config,
});
