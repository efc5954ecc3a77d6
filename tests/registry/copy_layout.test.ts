/** OCI layouts as source and destination: what is in the directory then, beside others that write it, and after damage. */
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { CopyPlace } from "../helpers/copy_place.ts";
import { type BuiltDocument, buildImage, buildIndex, sha256Digest } from "../helpers/image_builder.ts";
import { writeOciLayout } from "../helpers/oci_layout.ts";
import { cut, hang } from "../helpers/registry_faults.ts";
import { noise } from "../helpers/registry_fixture.ts";
import { testIf } from "../helpers/requires.ts";

const [amd64, arm64] = ["amd64", "arm64"].map((architecture) =>
  buildImage({
    layers: [
      { entries: [{ name: "own", data: architecture }] },
      { entries: [{ name: "noise", data: noise(500_000) }] },
    ],
    platform: { os: "linux", architecture },
  }),
) as [ReturnType<typeof buildImage>, ReturnType<typeof buildImage>];
const index = buildIndex({ images: [amd64, arm64], attestations: true });
const docker = buildImage({ layers: [{ entries: [{ name: "docker" }] }], flavour: "docker" });
const REF_NAME = "org.opencontainers.image.ref.name";

describe("copyImage() to a layout", () => {
  test("makes one, with the tag and the platform in its index", async () => {
    await using place = new CopyPlace({ "app:1": index });

    const copied = await place.copy("from/app:1", "oci:new/layout:app:1");

    expect(copied.digest as string).toBe(amd64.digest);
    expect(JSON.parse(place.read("new/layout/oci-layout").toString())).toEqual({
      imageLayoutVersion: "1.0.0",
    });
    expect(entriesOf(place, "new/layout")).toEqual([
      {
        mediaType: amd64.mediaType,
        digest: amd64.digest,
        size: amd64.bytes.length,
        platform: { os: "linux", architecture: "amd64" },
        annotations: { [REF_NAME]: "app:1" },
      },
    ]);
    expectFiles(place, "new/layout", amd64);
  });

  test("adds to one, replaces the tag alone, and leaves the fields of others", async () => {
    await using place = new CopyPlace({ "app:1": amd64, "app:2": arm64, "app:3": docker });
    writeOciLayout(`${place.directory}/layout`, { other: docker });
    const foreign = {
      ...JSON.parse(place.read("layout/index.json").toString()),
      annotations: { kept: "yes" },
    };
    writeFileSync(`${place.directory}/layout/index.json`, JSON.stringify(foreign));

    await place.copy("from/app:1", "oci:layout:app");
    await place.copy("from/app:3", "oci:layout:app");
    await place.copy("from/app:2", "oci:layout");

    const { annotations } = JSON.parse(place.read("layout/index.json").toString());
    const named = entriesOf(place, "layout").map((entry) => [entry.annotations?.[REF_NAME], entry.digest]);
    expect(annotations).toEqual({ kept: "yes" });
    expect(named).toEqual([
      ["other", docker.digest],
      ["app", docker.digest],
      [undefined, arm64.digest],
    ]);
  });

  test("loses no image of those who copy at the same time", async () => {
    await using place = new CopyPlace({ "app:1": index });
    const tags = Array.from({ length: 8 }, (_, number) => `v${number}`);

    await Promise.all(tags.map((tag) => place.copy("from/app:1", `oci:layout:${tag}`, { all: true })));

    const named = entriesOf(place, "layout").map(({ annotations }) => annotations?.[REF_NAME]);
    expect(named.sort()).toEqual(tags);
    expectFiles(place, "layout", index);
  });

  test("fetches nothing that is there, and again what is cut short or damaged", async () => {
    await using place = new CopyPlace({ "app:1": amd64, "app:all": index });
    await place.copy("from/app:1", "oci:layout:app");
    place.from.reset();
    await place.copy("from/app:all", "oci:layout:all", { all: true });
    const [layer = ""] = amd64.layers.map(({ descriptor }) => descriptor.digest);
    const fetched = place.from.count(new RegExp(`^GET .*/(?:blobs/${layer}|manifests/${amd64.digest})`));
    truncateSync(blobOf(place, layer), 10);
    writeFileSync(blobOf(place, amd64.digest), "{}");

    await place.copy("from/app:1", "oci:layout:again");

    expect(fetched).toBe(0);
    expectFiles(place, "layout", index);
  });

  test.each([
    ["breaks for good", async (place: CopyPlace) => place.from.break(cut(1000, { on: /GET .*blobs/ }))],
    ["is cancelled", async (place: CopyPlace) => place.from.break(hang({ on: /GET .*blobs/ }))],
  ])("leaves no name, and no file but whole ones, when it %s", async (what, begin) => {
    await using place = new CopyPlace({ "app:1": amd64 });
    await begin(place);
    const controller = new AbortController();

    const copying = place.copy("from/app:1", "oci:layout:app", { signal: controller.signal });
    if (what === "is cancelled") {
      while (place.from.count(/GET .*blobs/) === 0) await Bun.sleep(5);
      controller.abort(new Error("enough"));
    }
    const error = await copying.catch((thrown: unknown) => thrown);

    expect(error).toBeInstanceOf(Error);
    expect(entriesOf(place, "layout")).toEqual([]);
    for (const hex of readdirSync(`${place.directory}/layout/blobs/sha256`))
      expect(sha256Digest(place.read(`layout/blobs/sha256/${hex}`))).toBe(`sha256:${hex}`);
  });

  test("refuses a directory that holds something else, and a layout of another version", async () => {
    await using place = new CopyPlace({ "app:1": amd64 });
    mkdirSync(`${place.directory}/home`);
    writeFileSync(`${place.directory}/home/letter`, "dear");
    mkdirSync(`${place.directory}/later`);
    writeFileSync(`${place.directory}/later/oci-layout`, '{"imageLayoutVersion":"2.0.0"}');
    const failure = (to: string) => place.copy("from/app:1", to).catch((thrown: unknown) => thrown);

    expect(await failure("oci:home:app")).toMatchObject({
      code: "COPY_FAILED",
      message: expect.stringContaining(`it holds "letter"`),
    });
    expect(await failure("oci:later:app")).toMatchObject({ code: "COPY_FAILED" });
    expect(readdirSync(`${place.directory}/home`)).toEqual(["letter"]);
  });
});

describe("copyImage() from a layout", () => {
  test("finds an image by its tag, by its digest, and without either where there is one", async () => {
    await using place = new CopyPlace({});
    writeOciLayout(`${place.directory}/two`, { one: index, two: docker });
    writeOciLayout(`${place.directory}/single`, { only: docker });
    const digestOf = async (name: string) =>
      (await place.copy(name, "to/app:1", { all: true })).digest as string;

    expect(await digestOf("oci:two:one")).toBe(index.digest);
    expect(await digestOf(`oci:two@${docker.digest}`)).toBe(docker.digest);
    expect(await digestOf("oci:single")).toBe(docker.digest);
    expect(place.to.content("app")?.blobs.size).toBe(index.blobs.size + docker.blobs.size);
  });

  test("names the tags that there are, when there is none of that name or several", async () => {
    await using place = new CopyPlace({});
    writeOciLayout(`${place.directory}/two`, { one: index, two: docker });
    mkdirSync(`${place.directory}/none`);
    const failure = (from: string) => place.copy(from, "to/app:1").catch((thrown: unknown) => thrown);

    const hint = 'Name one of its tags: "one", "two"';
    expect(await failure("oci:two:three")).toMatchObject({ code: "COPY_FAILED", hint });
    expect(await failure("oci:two")).toMatchObject({ code: "COPY_FAILED", hint });
    expect(await failure("oci:none")).toMatchObject({
      message: expect.stringContaining("it is no OCI layout"),
    });
    expect(place.to.requests).toEqual([]);
  });

  test.each<[string, (path: string) => void]>([
    ["is missing", rmSync],
    ["is cut short", (path) => truncateSync(path, 10)],
    ["has other bytes", (path) => writeFileSync(path, noise(Bun.file(path).size))],
  ])("gives no name to an image of which a blob %s", async (_, damage) => {
    await using place = new CopyPlace({});
    writeOciLayout(`${place.directory}/layout`, { app: amd64 });
    damage(blobOf(place, amd64.layers[1]?.descriptor.digest ?? ""));

    const error = await place.copy("oci:layout:app", "to/app:1").catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ code: expect.stringMatching(/^(?:COPY_FAILED|CONTENT_MISMATCH)$/) });
    expect(place.to.content("app")?.tags.size ?? 0).toBe(0);
  });

  test("copies from layout to layout", async () => {
    await using place = new CopyPlace({});
    writeOciLayout(`${place.directory}/one`, { app: index });

    await place.copy("oci:one:app", "oci:two:app", { all: true });
    const again = await place.copy("oci:one:app", "oci:two:app", { all: true });

    expect(again.status).toBe("unchanged");
    expectFiles(place, "two", index);
  });
});

describe("layouts and others", () => {
  testIf(
    ["program skopeo"],
    "skopeo reads what was copied, and what skopeo writes is copied on",
    async () => {
      await using place = new CopyPlace({ "app:1": index });
      const [ours, theirs] = ["ours", "theirs"].map((name) => `${place.directory}/${name}`);
      await place.copy("from/app:1", "oci:ours:app", { all: true });

      const raw = await Bun.$`skopeo inspect --raw oci:${ours}:app`.quiet();
      await Bun.$`skopeo copy --insecure-policy --all oci:${ours}:app oci:${theirs}:app`.quiet();
      const copied = await place.copy("oci:theirs:app", "to/app:1", { all: true });

      expect(raw.stdout.equals(Buffer.from(index.bytes))).toBeTrue();
      expect(copied.digest as string).toBe(index.digest);
      expect(place.to.content("app")?.blobs.size).toBe(index.blobs.size);
    },
  );

  test("docker's types stay, and so does the digest", async () => {
    await using place = new CopyPlace({ "app:1": docker });

    await place.copy("from/app:1", "oci:layout:app");
    const back = await place.copy("oci:layout:app", "to/app:1");

    expect(back.digest as string).toBe(docker.digest);
    expect(place.to.content("app")?.manifests.get(docker.digest)?.mediaType).toBe(docker.mediaType);
  });

  testIf(
    ["root", "program umoci"],
    "umoci unpacks what was copied, and its garbage leaves the rest",
    async () => {
      await using place = new CopyPlace({ "app:1": index });
      const layout = `${place.directory}/layout`;
      await place.copy("from/app:1", "oci:layout:app");
      await place.copy("from/app:1", "oci:layout:all", { all: true });

      await Bun.$`umoci unpack --image ${layout}:app ${place.directory}/bundle`.quiet();
      await Bun.$`umoci rm --image ${layout}:all && umoci gc --layout ${layout}`.quiet();
      const copied = await place.copy("oci:layout:app", "to/app:1");

      expect(await Bun.file(`${place.directory}/bundle/rootfs/own`).text()).toBe("amd64");
      expect(copied.digest as string).toBe(amd64.digest);
      expect(existsSync(blobOf(place, arm64.digest))).toBeFalse();
    },
  );
});

interface Entry {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: object;
  readonly annotations?: Readonly<Record<string, string>>;
}

const entriesOf = (place: CopyPlace, layout: string): Entry[] =>
  JSON.parse(place.read(`${layout}/index.json`).toString()).manifests;

const blobOf = (place: CopyPlace, digest: string, layout = "layout"): string =>
  `${place.directory}/${layout}/blobs/${digest.replace(":", "/")}`;

/** Every file of the layout is content of the document, and all of it is there. */
function expectFiles(place: CopyPlace, layout: string, document: BuiltDocument): void {
  const expected = new Map([
    ...document.blobs,
    ...[...document.manifests].map(([key, { bytes }]) => [key, bytes] as const),
  ]);
  expect(readdirSync(`${place.directory}/${layout}`).sort()).toEqual(["blobs", "index.json", "oci-layout"]);
  const names = readdirSync(`${place.directory}/${layout}/blobs/sha256`).map((hex) => `sha256:${hex}`);
  expect(names.sort()).toEqual([...expected.keys()].sort());
  for (const [digest, bytes] of expected)
    expect(place.read(`${layout}/blobs/${digest.replace(":", "/")}`).equals(Buffer.from(bytes))).toBeTrue();
}
