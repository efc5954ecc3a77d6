/** `bunker copy` as it looks from outside: its outputs, its refusals, interruption, and what others make of a copy. */
import { describe, expect } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { buildArtifact } from "../helpers/copy_place.ts";
import { startDockerRegistry } from "../helpers/docker_registry.ts";
import { buildImage, buildIndex } from "../helpers/image_builder.ts";
import { PullPlace } from "../helpers/pull_place.ts";
import { hang } from "../helpers/registry_faults.ts";
import { noise } from "../helpers/registry_fixture.ts";
import { executable } from "../helpers/requires.ts";
import { kernelTest, type Sandbox } from "../helpers/sandbox.ts";

const NEEDS = ["the executable"] as const;
const PEERS = [...NEEDS, "program docker-registry", "program skopeo"] as const;
const PEER_MS_MAX = 60_000;
const [amd64, arm64] = ["amd64", "arm64"].map((architecture) =>
  buildImage({
    layers: [
      { entries: [{ name: "own", data: architecture }] },
      { entries: [{ name: "noise", data: noise(300_000) }] },
    ],
    platform: { os: "linux", architecture },
  }),
) as [ReturnType<typeof buildImage>, ReturnType<typeof buildImage>];
const index = buildIndex({ images: [amd64, arm64], attestations: true });
const images = { "app:1": index, "note:1": buildArtifact("application/x-note", "note") };
const shortOf = (digest: string): string => digest.slice("sha256:".length).slice(0, 12);

describe("bunker copy", () => {
  kernelTest("prints progress on stderr, the name on stdout, and makes no store", NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    const [from, to] = [place.name("app:1"), place.name("team/copy:2")];
    const file = `${sandbox.directory}/digest`;

    const first = await place.bunker(["copy", "--platform", "linux/arm64", "--digestfile", file, from, to]);
    const again = await place.bunker(["copy", "--platform", "linux/arm64", from, to]);
    const quiet = await place.bunker(["copy", "-q", "--all", `docker://${from}`, place.name("team/all")]);

    expect(first).toMatchObject({ exitCode: 0, stdout: `${to}\n` });
    const lines = first.stderr.trimEnd().split("\n");
    const layers = arm64.layers.map(({ descriptor }) => shortOf(descriptor.digest));
    expect(lines[0]).toBe(`Copying ${from} to ${to}`);
    expect(lines.slice(1, 3)).toEqual(layers.map((layer) => `${layer}: Preparing`));
    expect(lines.slice(3, 5).sort()).toEqual(layers.map((layer) => `${layer}: Mounted from app`).sort());
    expect(lines.slice(5)).toEqual([`Digest: ${arm64.digest}`, `Status: Copied ${from} to ${to}`]);
    expect(readFileSync(file, "utf8")).toBe(arm64.digest);
    expect(again.stderr).toEndWith(`Digest: ${arm64.digest}\nStatus: Unchanged at ${to}\n`);
    expect(quiet).toMatchObject({ exitCode: 0, stdout: `${place.name("team/all:latest")}\n`, stderr: "" });
    expect(place.registry.content("team/all")?.tags.get("latest")).toBe(index.digest);
    expect(existsSync(sandbox.root)).toBeFalse();
  });

  kernelTest("refuses what it cannot do, before it asks any registry", NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    const from = place.name("app:1");
    const messageOf = async (...words: string[]) => (await place.refusal(["copy", ...words])).message;

    expect(await messageOf(from, `${place.name("copy")}@${index.digest}`)).toContain(
      "a digest is what an image has",
    );
    expect(await messageOf(from, `oci:${sandbox.directory}/x@${index.digest}`)).toContain("a digest is what");
    expect(await messageOf(from, "dir:/tmp/x")).toContain('places are registries, "oci:"');
    expect(await messageOf(from, "oci::tag")).toContain("the directory is missing");
    expect(await messageOf(from, "oci:x:a b")).toContain('"a b" is no tag of a layout');
    expect(await messageOf("--all", "--platform", "arm64", from, place.name("copy"))).toContain(
      "--all and --platform",
    );
    expect(await messageOf("--all", from, `docker-archive:${sandbox.directory}/x:app`)).toContain(
      "docker's form",
    );
    expect(place.registry.requests).toEqual([]);
    expect(existsSync(`${sandbox.directory}/x`)).toBeFalse();
  });

  kernelTest("copies an artifact, which pull refuses", ["root", ...NEEDS], async (sandbox) => {
    await using place = new PullPlace(sandbox, images);

    const copied = await place.bunker([
      "copy",
      "-q",
      place.name("note:1"),
      `oci:${sandbox.directory}/layout:note`,
    ]);
    const pulled = await place.refusal(["pull", place.name("note:1"), "-q"]);

    expect(copied).toMatchObject({ exitCode: 0, stdout: `oci:${sandbox.directory}/layout:note\n` });
    expect(pulled.message).toBe(`Cannot pull image "${place.name("note:1")}": it is no image that can run`);
    expect(pulled.because.join()).toContain('"application/x-note" is an artifact');
    expect(pulled.hints).toEqual(["Copy it with bunker copy"]);
  });

  kernelTest(
    "says when a disk is full or read-only, and leaves what was there",
    ["root", ...NEEDS],
    async (sandbox) => {
      await using place = new PullPlace(sandbox, images);
      const [full, closed] = ["full", "closed"].map((name) => `${sandbox.directory}/${name}`) as [
        string,
        string,
      ];
      using _ = mountTmpfs(full, "size=200k");
      using __ = mountTmpfs(closed, "ro");

      const noSpace = await place.refusal(["copy", "-q", "--all", place.name("app:1"), `oci:${full}:app`]);
      const readOnly = await place.refusal(["copy", "-q", place.name("app:1"), `oci:${closed}/new:app`]);

      expect(noSpace.message).toBe(
        `Cannot copy image "${place.name("app:1")}" to "oci:${full}:app": the disk is full`,
      );
      expect(JSON.parse(readFileSync(`${full}/index.json`, "utf8")).manifests).toEqual([]);
      expect(readOnly.because.join()).toContain("EROFS");
    },
  );

  for (const signal of ["SIGINT", "SIGKILL"] as const) {
    kernelTest(
      `leaves no half image when ${signal} ends it, and goes on from there`,
      NEEDS,
      async (sandbox) => {
        await using place = new PullPlace(sandbox, images);
        const layout = `${sandbox.directory}/layout`;
        const [small = "", large = ""] = amd64.layers.map(({ descriptor }) => descriptor.digest);
        place.registry.break(hang({ on: new RegExp(`^GET .*/blobs/${large}`), times: 1 }));
        const words = ["copy", "-q", "--platform", "amd64", place.name("app:1"), `oci:${layout}:app`];

        const child = start(sandbox, place, words);
        while (!existsSync(`${layout}/blobs/${small.replace(":", "/")}`)) await Bun.sleep(5);
        child.kill(signal);
        await child.exited;
        const between = JSON.parse(readFileSync(`${layout}/index.json`, "utf8"));
        const files = readdirSync(`${layout}/blobs/sha256`).map((hex) => `sha256:${hex}`);
        place.registry.reset();
        const again = await place.bunker(words);

        expect(signal === "SIGINT" ? child.exitCode : child.signalCode).toBe(
          signal === "SIGINT" ? 130 : "SIGKILL",
        );
        expect(between.manifests).toEqual([]);
        expect(files.filter((digest) => !amd64.blobs.has(digest))).toEqual([]);
        expect(again).toMatchObject({ exitCode: 0, stderr: "" });
        expect(place.registry.count(new RegExp(`^GET .*/blobs/${small}`))).toBe(0);
      },
    );
  }

  kernelTest(
    "copies between docker-registry and layouts what skopeo reads with equal bytes",
    PEERS,
    async (sandbox) => {
      await using place = new PullPlace(sandbox, images);
      await using registry = await startDockerRegistry();
      const layout = `oci:${sandbox.directory}/layout:app`;
      const names = [
        `${registry.host}/app:1`,
        layout,
        `${registry.host}/other/app:1`,
        `${registry.host}/third:1`,
      ];

      let from = place.name("app:1");
      for (const to of names) {
        expect(await place.bunker(["copy", "-q", "--all", from, to])).toMatchObject({
          exitCode: 0,
          stderr: "",
        });
        from = to;
      }

      for (const name of names) {
        const where = name.startsWith("oci:") ? name : `docker://${name}`;
        const raw = await Bun.$`skopeo inspect --tls-verify=false --raw ${where}`.quiet();
        expect(raw.stdout.equals(Buffer.from(index.bytes))).toBeTrue();
      }
      const theirs = `${sandbox.directory}/theirs`;
      const insecure = ["--insecure-policy", "--src-tls-verify=false"];
      await Bun.$`skopeo copy --all ${insecure} docker://${registry.host}/third:1 dir:${theirs}`.quiet();
      for (const [digest, bytes] of index.blobs)
        expect(
          readFileSync(`${theirs}/${digest.slice("sha256:".length)}`).equals(Buffer.from(bytes)),
        ).toBeTrue();
    },
    PEER_MS_MAX,
  );
});

function start({ root, state }: Sandbox, { config }: PullPlace, words: readonly string[]): Bun.Subprocess {
  return Bun.spawn([executable, ...words], {
    env: { PATH: process.env["PATH"] ?? "", BUNKER_ROOT: root, BUNKER_STATE: state, BUNKER_CONFIG: config },
    stdio: ["ignore", "ignore", "ignore"],
  });
}

function mountTmpfs(directory: string, options: string): Disposable {
  mkdirSync(directory);
  Bun.spawnSync(["mount", "-t", "tmpfs", "-o", options, "tmpfs", directory]);
  return { [Symbol.dispose]: () => void Bun.spawnSync(["umount", directory]) };
}
