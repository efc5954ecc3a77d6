/**
 * Every document that bunker writes keeps the rules of the image specification: in its store, in archives, in layouts, and in
 * images that it makes itself; skopeo and umoci read them.
 */
import { describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { Box } from "../helpers/box.ts";
import { buildImage, buildIndex, hostPlatform } from "../helpers/image_builder.ts";
import { writeOciLayout } from "../helpers/oci_layout.ts";
import { PULL_NEEDS, PullPlace } from "../helpers/pull_place.ts";
import { kernelTest } from "../helpers/sandbox.ts";
import { buildTar } from "../helpers/tar_builder.ts";
import { App, baseLayer } from "../kernel/run/app.ts";
import { newArchive, oldArchive } from "./docker_archives.ts";
import { faultsOfLayout } from "./image_spec.ts";
import { sourceImage } from "./sources.ts";

const OTHER = hostPlatform().architecture === "arm64" ? "amd64" : "arm64";
const shared = sourceImage();
const images = {
  "gzip:1": shared,
  "zstd:1": sourceImage({ compression: "zstd" }),
  "plain:1": sourceImage({ compression: "none" }),
  "docker:1": sourceImage({ flavour: "docker" }),
  "index:1": buildIndex({ images: [sourceImage({ architecture: OTHER }), shared], attestations: true }),
};
const plain = buildImage({ layers: [{ entries: [{ name: "a", data: "a" }], compression: "none" }] });
const NEEDS = [...PULL_NEEDS, "program skopeo", "program umoci"] as const;
const TEST_MS_MAX = 120_000;

describe("what bunker writes keeps the rules of the image specification", () => {
  kernelTest(
    "in the store, which skopeo and umoci read in place",
    NEEDS,
    async (sandbox) => {
      await using place = await pulled(sandbox);
      await succeed(place, ["tag", place.name("gzip:1"), "localhost/other:tag"]);

      expect(faultsOfLayout(sandbox.root)).toEqual([]);
      const reference = `${place.name("zstd:1")}`;
      const raw = await Bun.$`skopeo inspect --raw oci:${sandbox.root}:${reference}`.quiet();
      expect(raw.stdout.equals(Buffer.from(images["zstd:1"].bytes))).toBeTrue();
      const listed = (await Bun.$`umoci ls --layout ${sandbox.root}`.text()).trim().split("\n");
      expect(listed).toContain("localhost/other:tag");
    },
    TEST_MS_MAX,
  );

  kernelTest(
    "in archives, of one image and of all",
    NEEDS,
    async (sandbox) => {
      await using place = await pulled(sandbox);
      const names = Object.keys(images).map((name) => place.name(name));

      for (const [at, wanted] of [[names[0] ?? ""], names].entries()) {
        const archive = `${sandbox.directory}/${at}.tar`;
        await succeed(place, ["save", "-o", archive, ...wanted]);
        expect(faultsOfLayout(await taken(archive))).toEqual([]);
      }
    },
    TEST_MS_MAX,
  );

  kernelTest(
    "where archives of docker had no manifest",
    NEEDS,
    async (sandbox) => {
      const forms = { old: oldArchive, new: newArchive };
      for (const [name, archiveOf] of Object.entries(forms)) {
        const archive = `${sandbox.directory}/${name}.tar`;
        writeFileSync(archive, buildTar(archiveOf([{ image: plain, names: [`local/${name}:1`] }])));
        expect(await sandbox.bunker(["load", "-i", archive])).toMatchObject({ exitCode: 0, stderr: "" });
      }

      expect(faultsOfLayout(sandbox.root)).toEqual([]);
    },
    TEST_MS_MAX,
  );

  kernelTest(
    "in images that it makes: import, with every instruction",
    NEEDS,
    async (sandbox) => {
      const root = `${sandbox.directory}/root.tar`;
      writeFileSync(root, buildTar(baseLayer().entries ?? []));
      const changes = [
        "ENV A=1 B=two",
        'CMD ["/bin/sh", "-c", "echo made"]',
        "LABEL a.b=c",
        "EXPOSE 80 53/udp",
        "VOLUME /data",
        "WORKDIR /srv",
        "USER 1000:1000",
        "STOPSIGNAL SIGINT",
      ].flatMap((change) => ["-c", change]);

      const made = await sandbox.bunker(["import", "-m", "made by a test", ...changes, root, "local/made:1"]);

      expect(made).toMatchObject({ exitCode: 0, stderr: "" });
      expect(faultsOfLayout(sandbox.root)).toEqual([]);
      const name = "docker.io/local/made:1";
      expect((await Bun.$`umoci ls --layout ${sandbox.root}`.text()).trim()).toBe(name);
      const config = await Bun.$`skopeo inspect --config oci:${sandbox.root}:${name}`.json();
      expect(config.config).toMatchObject({ User: "1000:1000", WorkingDir: "/srv", StopSignal: "SIGINT" });
    },
    TEST_MS_MAX,
  );

  kernelTest(
    "in images that it makes: commit",
    NEEDS,
    async (sandbox) => {
      const box = await Box.start(await App.install(sandbox), "echo new >/new; rm /etc/group");
      const words = ["-a", "a person", "-m", "changed", "-c", "LABEL x=y", "box", "local/committed:1"];

      const committed = await sandbox.bunker(["commit", ...words]);
      await box.end();

      expect(committed).toMatchObject({ exitCode: 0, stderr: "" });
      expect(faultsOfLayout(sandbox.root)).toEqual([]);
      const tree = `${sandbox.directory}/tree`;
      await Bun.$`umoci raw unpack --image ${sandbox.root}:docker.io/local/committed:1 ${tree}`.quiet();
      expect(await Bun.file(`${tree}/new`).text()).toBe("new\n");
      expect(await Bun.file(`${tree}/etc/group`).exists()).toBeFalse();
    },
    TEST_MS_MAX,
  );

  kernelTest(
    "in layouts that it copies to",
    NEEDS,
    async (sandbox) => {
      await using place = await pulled(sandbox);
      const layout = `${sandbox.directory}/layout`;
      for (const name of Object.keys(images)) {
        const target = `oci:${layout}:${name.replace(":1", "")}`;
        await succeed(place, ["copy", "-q", "--all", place.name(name), target]);
      }

      expect(faultsOfLayout(layout)).toEqual([]);
      const listed = (await Bun.$`umoci ls --layout ${layout}`.text()).trim().split("\n").sort();
      expect(listed).toEqual(["docker", "gzip", "index", "plain", "zstd"]);
    },
    TEST_MS_MAX,
  );
});

describe("faultsOfLayout()", () => {
  test("finds what breaks a rule", () => {
    const directory = mkdtempSync(`${tmpdir()}/bunker-layout-`);
    try {
      writeOciLayout(`${directory}/whole`, { "1": plain });
      expect(faultsOfLayout(`${directory}/whole`)).toEqual([]);

      const wrong = buildImage({
        layers: [{ entries: [], mediaType: "application/vnd.oci.image.layer.v1.tar+zstd" }],
        configDocument: { created: "yesterday", history: [], os: "" },
        manifestDocument: { schemaVersion: 1, annotations: { a: 1 } },
      });
      writeOciLayout(`${directory}/wrong`, { "no/: name": wrong });
      const faults = faultsOfLayout(`${directory}/wrong`).join("\n");
      for (const part of [
        "named",
        "yesterday",
        "history has 0",
        "os is missing",
        "schemaVersion",
        "annotations",
        "ref.name",
      ]) {
        expect(faults).toContain(part);
      }
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

async function pulled(sandbox: ConstructorParameters<typeof PullPlace>[0]): Promise<PullPlace> {
  const place = new PullPlace(sandbox, images);
  for (const name of Object.keys(images)) await place.pull(name);
  await succeed(place, ["pull", "-q", "--platform", `linux/${OTHER}`, place.name("index:1")]);
  return place;
}

async function succeed(place: PullPlace, args: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await place.bunker(args, { timeoutMs: 30_000 });
  expect([args[0], exitCode, stderr]).toEqual([args[0], 0, ""]);
}

/** The content of an archive, in a directory beside it. */
async function taken(archive: string): Promise<string> {
  const directory = `${archive}.d`;
  mkdirSync(directory);
  await Bun.$`tar -C ${directory} -xf ${archive}`;
  expect(readdirSync(directory)).toContain("manifest.json");
  return directory;
}
