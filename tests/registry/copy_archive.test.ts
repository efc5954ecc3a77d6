/** Archives as source and destination of a copy: what is in them, and that skopeo and podman mean the same. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { CopyPlace } from "../helpers/copy_place.ts";
import { buildImage, buildIndex } from "../helpers/image_builder.ts";
import { writeOciLayout } from "../helpers/oci_layout.ts";
import { cut } from "../helpers/registry_faults.ts";
import { noise } from "../helpers/registry_fixture.ts";
import { testIf } from "../helpers/requires.ts";

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
const PEER_MS_MAX = 60_000;

describe("copyImage() to an archive", () => {
  test.each([
    ["oci-archive:app.tar:1", true],
    ["docker-archive:app.tar:app:1", false],
  ])("writes %s, which gives the same back", async (name, all) => {
    await using place = new CopyPlace({ "app:1": index });

    const copied = await place.copy("from/app:1", name, { all });
    const back = await place.copy(name, "to/app:1", { all });

    const document = all ? index : amd64;
    expect([copied.digest, back.digest] as string[]).toEqual([document.digest, document.digest]);
    for (const [digest, bytes] of document.blobs)
      expect(
        Buffer.from(place.to.content("app")?.blobs.get(digest) ?? []).equals(Buffer.from(bytes)),
      ).toBeTrue();
    expect(readdirSync(place.directory)).toEqual(["app.tar"]);
  });

  test("is nowhere when it fails, and leaves what is there alone", async () => {
    await using place = new CopyPlace({ "app:1": amd64 });
    writeFileSync(`${place.directory}/there.tar`, "mine");
    const there = await place.copy("from/app:1", "oci-archive:there.tar").catch((thrown: unknown) => thrown);
    place.from.break(cut(1000, { on: /GET .*blobs/ }));

    const failed = await place.copy("from/app:1", "oci-archive:new.tar").catch((thrown: unknown) => thrown);

    expect(there).toMatchObject({ code: "COPY_FAILED", message: expect.stringContaining("it exists") });
    expect(place.read("there.tar").toString()).toBe("mine");
    expect(failed).toMatchObject({ code: "REGISTRY_UNREACHABLE" });
    expect(readdirSync(place.directory)).toEqual(["there.tar"]);
  });
});

describe("copyImage() from an archive", () => {
  test.each(["cat", "gzip", "zstd"])("reads one through %s, and leaves nothing behind", async (program) => {
    await using place = new CopyPlace({});
    writeOciLayout(`${place.directory}/layout`, { app: index });
    await Bun.$`tar -C ${place.directory}/layout -cf - . | ${program} > ${place.directory}/app.tar`.quiet();
    using temporary = watchTemporary(place);

    const copied = await place.copy("oci-archive:app.tar:app", "to/app:1", { all: true });

    expect(copied.digest as string).toBe(index.digest);
    expect(place.to.content("app")?.blobs.size).toBe(index.blobs.size);
    expect(temporary.left()).toEqual([]);
  });

  test("says what it has, and what is no archive", async () => {
    await using place = new CopyPlace({});
    writeOciLayout(`${place.directory}/layout`, { app: amd64, other: arm64 });
    await Bun.$`tar -C ${place.directory}/layout -cf ${place.directory}/app.tar .`.quiet();
    writeFileSync(`${place.directory}/text.tar`, "text, ".repeat(1000));
    using temporary = watchTemporary(place);
    const failure = (from: string) => place.copy(from, "to/app:1").catch((thrown: unknown) => thrown);

    const file = `${place.directory}/app.tar`;
    expect(await failure("oci-archive:app.tar:none")).toMatchObject({
      message: `Cannot find image "oci-archive:${file}:none": there is no such image`,
      hint: 'Name one of its tags: "app", "other"',
    });
    expect(await failure("oci-archive:app.tar")).toMatchObject({
      message: `Cannot choose an image of "oci-archive:${file}": it has 2`,
    });
    expect(await failure("oci-archive:text.tar")).toMatchObject({ code: "ARCHIVE_INVALID" });
    expect(await failure("oci-archive:missing.tar")).toMatchObject({ code: "COPY_FAILED" });
    expect(temporary.left()).toEqual([]);
    expect(place.to.requests).toEqual([]);
  });
});

describe("archives and others", () => {
  testIf(
    ["program skopeo"],
    "skopeo reads both forms, and what skopeo writes is copied on",
    async () => {
      await using place = new CopyPlace({ "app:1": index });
      const path = (name: string): string => `${place.directory}/${name}`;
      await place.copy("from/app:1", "oci-archive:oci.tar:1", { all: true });
      await place.copy("from/app:1", "docker-archive:docker.tar:app:1");

      const raw = await Bun.$`skopeo inspect --raw oci-archive:${path("oci.tar")}:1`.quiet();
      const config =
        await Bun.$`skopeo inspect --config --raw docker-archive:${path("docker.tar")}:app:1`.quiet();
      const theirs = `docker-archive:${path("theirs.tar")}:docker.io/library/app:2`;
      await Bun.$`skopeo copy --insecure-policy oci-archive:${path("oci.tar")}:1 ${theirs}`.quiet();
      await place.copy("docker-archive:theirs.tar:app:2", "to/app:2");

      expect(raw.stdout.equals(Buffer.from(index.bytes))).toBeTrue();
      expect(config.stdout.equals(Buffer.from(amd64.blobs.get(amd64.configDigest) ?? []))).toBeTrue();
      expect(place.to.content("app")?.blobs.has(amd64.configDigest)).toBeTrue();
    },
    PEER_MS_MAX,
  );

  testIf(
    ["root", "program podman"],
    "podman loads both forms under their name",
    async () => {
      await using place = new CopyPlace({ "app:1": amd64 });
      const storage = `${place.directory}/podman`;
      const podman = ["podman", "--root", storage, "--runroot", `${storage}-run`, "--storage-driver", "vfs"];
      await place.copy("from/app:1", "docker-archive:docker.tar:localhost/app:7");
      await place.copy("from/app:1", "oci-archive:oci.tar:localhost/oci:7");

      for (const [file, name] of [
        ["docker.tar", "localhost/app:7"],
        ["oci.tar", "localhost/oci:7"],
      ]) {
        await Bun.$`${podman} load -i ${place.directory}/${file}`.quiet();
        const id = await Bun.$`${podman} image inspect --format {{.Id}} ${name}`.quiet();
        expect(`sha256:${id.stdout.toString().trim()}`).toBe(amd64.configDigest);
      }
    },
    PEER_MS_MAX,
  );
});

/** Has temporary files made below the place, where nobody else makes some. @returns what is left there */
function watchTemporary(place: CopyPlace): { readonly left: () => string[] } & Disposable {
  const before = process.env["TMPDIR"];
  const directory = `${place.directory}/tmp`;
  mkdirSync(directory);
  process.env["TMPDIR"] = directory;
  return {
    left: () => readdirSync(directory),
    [Symbol.dispose]: () => {
      if (before === undefined) delete process.env["TMPDIR"];
      else process.env["TMPDIR"] = before;
    },
  };
}
