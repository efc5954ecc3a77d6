/** `bunker push` as it looks from outside: its outputs, all tags, and what podman makes of it. */
import { describe, expect } from "bun:test";
import { serveRegistry } from "../helpers/fake_registry.ts";
import { buildImage } from "../helpers/image_builder.ts";
import { runPiped } from "../helpers/pipes.ts";
import { PULL_NEEDS, PullPlace } from "../helpers/pull_place.ts";
import { kernelTest } from "../helpers/sandbox.ts";
import { baseLayer } from "../kernel/run/app.ts";

const [one, two] = ["one", "two"].map((text) =>
  buildImage({ layers: [baseLayer(), { entries: [{ name: "text", data: text }] }] }),
) as [ReturnType<typeof buildImage>, ReturnType<typeof buildImage>];
const images = { "app:1": one, "app:2": two };
const shortOf = (digest: string): string => digest.slice("sha256:".length).slice(0, 12);

describe("bunker push", () => {
  kernelTest(
    "prints docker's lines on stderr, and the reference alone on stdout",
    PULL_NEEDS,
    async (sandbox) => {
      await using place = new PullPlace(sandbox, images);
      await place.pull("app:1");
      await using registry = await emptied(place);
      const name = place.name("app:1");

      const first = await place.bunker(["push", name]);
      const second = await place.bunker(["push", name]);

      expect(first).toMatchObject({ exitCode: 0, stdout: `${name}\n` });
      const layers = one.layers.map(({ descriptor }) => shortOf(descriptor.digest));
      const lines = first.stderr.trimEnd().split("\n");
      expect(lines[0]).toBe(`The push refers to repository [${place.name("app")}]`);
      expect(lines.slice(1, 3)).toEqual(layers.map((layer) => `${layer}: Preparing`));
      expect(lines.slice(3, 5).sort()).toEqual(layers.map((layer) => `${layer}: Pushed`).sort());
      expect(lines.slice(5)).toEqual([`1: digest: ${one.digest} size: ${one.bytes.length}`]);
      expect(second.stderr.match(/Layer already exists/g)).toHaveLength(2);
      expect(registry.content("app")?.tags.get("1")).toBe(one.digest);
    },
  );

  kernelTest(
    "takes all tags of a repository with -a, and prints nothing more with -q",
    PULL_NEEDS,
    async (sandbox) => {
      await using place = new PullPlace(sandbox, images);
      await place.pull("app:1");
      await place.pull("app:2");
      await using registry = await emptied(place);

      const result = await place.bunker(["push", "-a", "-q", place.name("app")]);

      const stdout = `${place.name("app:1")}\n${place.name("app:2")}\n`;
      expect(result).toMatchObject({ exitCode: 0, stdout, stderr: "" });
      expect([...(registry.content("app")?.tags ?? [])]).toEqual([
        ["1", one.digest],
        ["2", two.digest],
      ]);
    },
  );

  kernelTest("refuses a tag with -a, and an image that is not here", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);

    const tagged = await place.refusal(["push", "-a", place.name("app:1")]);
    const missing = await place.refusal(["push", place.name("app:1")]);

    expect(tagged).toMatchObject({ exitCode: 125, message: "tag cannot be used with --all-tags/-a" });
    expect(missing).toMatchObject({
      exitCode: 125,
      message: `Cannot find image "${place.name("app:1")}" here`,
      hints: ["See what is here: bunker images"],
    });
    expect(place.registry.requests).toHaveLength(0);
  });

  kernelTest(
    "brings what podman pulls with the same digest",
    [...PULL_NEEDS, "program podman"],
    async (sandbox) => {
      await using place = new PullPlace(sandbox, images);
      await place.pull("app:1");
      await using _ = await emptied(place);
      await place.bunker(["push", "-q", place.name("app:1")]);
      const store = ["--root", `${sandbox.directory}/podman`, "--runroot", `${sandbox.directory}/podman-run`];
      const podman = (...words: string[]) =>
        runPiped(["podman", ...store, "--storage-driver=vfs", ...words], { timeoutMs: 60_000 });

      const pulled = await podman("pull", "-q", "--tls-verify=false", place.name("app:1"));
      const shown = await podman("image", "inspect", "--format", "{{.Digest}}", place.name("app:1"));

      expect(pulled.exitCode).toBe(0);
      expect(shown.stdout.trim()).toBe(one.digest);
    },
    90_000,
  );
});

/** The place's registry ends, and another one takes its address, without any image. */
async function emptied(place: PullPlace): Promise<ReturnType<typeof serveRegistry>> {
  await place.registry.stop();
  return serveRegistry({ port: Number(place.registry.host.split(":")[1]) });
}
