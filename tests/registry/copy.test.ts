/** Copying between registries at the level of the library: what goes over the wire, and what happens when it goes wrong. */
import { describe, expect, test } from "bun:test";
import type { PushProgress } from "../../src/image/push_progress.ts";
import { buildArtifact, CopyPlace } from "../helpers/copy_place.ts";
import { startCuttingProxy } from "../helpers/cutting_proxy.ts";
import { hasDockerRegistry, startDockerRegistry } from "../helpers/docker_registry.ts";
import { type BuiltDocument, buildImage, buildIndex, descriptorOf } from "../helpers/image_builder.ts";
import { BLOBS, corrupt, cut, hang, shorten, stall, status } from "../helpers/registry_faults.ts";
import { noise } from "../helpers/registry_fixture.ts";

const USER = { name: "me", password: "pass:word" };
const LAYER_BYTES = 3_000_000;
const shared = { entries: [{ name: "shared", data: noise(LAYER_BYTES) }] };
const [amd64, arm64] = ["amd64", "arm64"].map((architecture) =>
  buildImage({
    layers: [shared, { entries: [{ name: "own", data: architecture }] }],
    platform: { os: "linux", architecture },
  }),
) as [ReturnType<typeof buildImage>, ReturnType<typeof buildImage>];
const index = buildIndex({ images: [amd64, arm64], attestations: true });
const nested = buildIndex({ images: [index, buildIndex({ images: [arm64], flavour: "docker" })] });
const [large = ""] = amd64.layers.map(({ descriptor }) => descriptor.digest);
const ARM64 = { platform: { os: "linux", architecture: "arm64" }, isAsked: true };

describe("copyImage()", () => {
  test("copies the image for one platform, byte by byte, the name last", async () => {
    await using place = new CopyPlace({ "app:1": index });

    const copied = await place.copy("from/app:1", "to/team/copy:2");

    expect(copied).toMatchObject({ status: "copied", digest: amd64.digest, sizeBytes: amd64.bytes.length });
    expectWhole(place, "team/copy", amd64);
    expect(place.to.content("team/copy")?.tags).toEqual(new Map([["2", amd64.digest]]));
    expect(place.writes().at(-1)).toBe("PUT /v2/team/copy/manifests/2");
  });

  test.each([
    ["an index", index],
    ["indices in an index, of OCI's and Docker's types", nested],
  ])("copies %s with all beneath it, each blob once", async (_, document) => {
    await using place = new CopyPlace({ "app:1": document });

    const copied = await place.copy("from/app:1", "to/copy:1", { all: true });

    expect(copied).toMatchObject({ status: "copied", digest: document.digest });
    expectWhole(place, "copy", document);
    expect(place.to.content("copy")?.tags).toEqual(new Map([["1", document.digest]]));
    for (const blob of document.blobs.keys()) {
      expect(place.from.count(new RegExp(`^GET .*/blobs/${blob}`))).toBe(1);
      expect(place.to.count(new RegExp(`^HEAD .*/blobs/${blob}`))).toBe(1);
    }
    expect(place.writes().at(-1)).toBe("PUT /v2/copy/manifests/1");
  });

  test.each([true, false])(
    "costs one HEAD on either side when nothing has changed (all: %p)",
    async (all) => {
      const document = all ? index : amd64;
      await using place = new CopyPlace({ "app:1": document });
      await place.copy("from/app:1", "to/copy:1", { all });
      place.from.reset();
      place.to.reset();

      const copied = await place.copy("from/app:1", "to/copy:1", { all });

      expect(copied).toEqual({ status: "unchanged", digest: document.digest as never });
      expect([...place.from.requests, ...place.to.requests].map(({ method }) => method)).toEqual([
        "HEAD",
        "HEAD",
      ]);
    },
  );

  test("fetches no blob of a manifest that is there under another name", async () => {
    await using place = new CopyPlace({ "app:1": amd64, "app:both": index });
    await place.copy("from/app:1", "to/copy:1");
    place.from.reset();

    await place.copy("from/app:both", "to/copy:both", { all: true });

    expect(place.from.count(new RegExp(`^GET .*/(?:blobs/${large}|manifests/${amd64.digest})`))).toBe(0);
    expectWhole(place, "copy", index);
  });

  test("makes a name that meant all platforms mean one", async () => {
    await using place = new CopyPlace({ "app:1": index });
    await place.copy("from/app:1", "to/copy:1", { all: true });

    const copied = await place.copy("from/app:1", "to/copy:1", { choice: ARM64 });

    expect(copied).toMatchObject({ status: "copied", digest: arm64.digest });
    expect(place.to.content("copy")?.tags.get("1")).toBe(arm64.digest);
  });

  test("mounts what another repository of the registry has, and moves no byte", async () => {
    await using place = new CopyPlace({ "app:1": amd64 });

    await place.copy("from/app:1", "from/team/copy:1");

    expect(place.from.count(/^GET .*\/blobs\//)).toBe(0);
    expect(place.from.count(/^POST .*mount=/)).toBe(3);
    expect(place.from.content("team/copy")?.tags.get("1")).toBe(amd64.digest);
  });

  test("gives another tag of one repository by one PUT", async () => {
    await using place = new CopyPlace({ "app:1": index });

    await place.copy("from/app:1", "from/app:2", { all: true });

    const methods = place.from.requests.map(({ method }) => method).sort();
    expect(methods).toEqual(["GET", "HEAD", "HEAD", "HEAD", "PUT"]);
    expect(place.from.content("app")?.tags.get("2")).toBe(index.digest);
  });

  test("copies by digest, artifacts, and manifests of foreign layers without these", async () => {
    const foreign = buildImage({
      layers: [
        { ...shared, mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" },
        { entries: [{ name: "own" }] },
      ],
      flavour: "docker",
    });
    const artifact = buildArtifact("application/x-note", "note");
    await using place = new CopyPlace({ "app:1": index, "foreign:1": foreign, "note:1": artifact });

    await place.copy(`from/app@${arm64.digest}`, "to/app:1");
    await place.copy("from/foreign:1", "to/foreign:1");
    await place.copy("from/note:1", "to/note:1");

    expectWhole(place, "app", arm64);
    expectWhole(place, "note", artifact);
    expect(place.to.content("foreign")?.tags.get("1")).toBe(foreign.digest);
    expect(place.to.content("foreign")?.blobs.has(foreign.layers[0]?.descriptor.digest ?? "")).toBeFalse();
  });

  test("tells the states of layers", async () => {
    await using place = new CopyPlace({ "app:1": amd64 });
    const states: Record<string, string> = {};

    await place.copy("from/app:1", "to/copy:1", {
      onProgress: (progress) => {
        if (progress.kind === "layer") states[progress.digest] = progress.state;
      },
    });

    expect(states).toEqual(
      Object.fromEntries(amd64.layers.map(({ descriptor }) => [descriptor.digest, "pushed"])),
    );
  });

  test.each([
    ["is cut", (on: RegExp) => cut(1_500_000, { on, times: 2 })],
    ["stalls", (on: RegExp) => stall(1_500_000, { on, times: 1 })],
    ["ends early", (on: RegExp) => shorten(1_500_000, { on, times: 1 })],
  ] as const)("goes on where the source %s, while the upload stays open", async (_, fault) => {
    await using place = new CopyPlace({ "app:1": single });
    // The configuration, which may come first, is too small to be broken.
    place.from.break(fault(new RegExp(`^GET .*${single.layers[0]?.descriptor.digest}`)));

    await place.copy("from/app:1", "to/copy:1");

    expectWhole(place, "copy", single);
    const ranges = place.from.requests.flatMap((request) => request.headers["range"] ?? []);
    expect(ranges.length).toBeGreaterThan(0);
    expect(place.to.count(/^POST /)).toBe(2);
  });

  test("goes on in pieces where the destination was cut, and asks the source for the rest only", async () => {
    await using place = new CopyPlace({ "app:1": single });
    await using proxy = await startCuttingProxy(place.to.host, { afterBytes: 1_500_000, times: 2 });

    await place.copy("from/app:1", `${proxy.host}/copy:1`, { client: { pieceBytes: 1_000_000 } });

    expect(proxy.cuts()).toBe(2);
    expectWhole(place, "copy", single);
  });

  test("opens the source once for many pieces", async () => {
    await using place = new CopyPlace({ "app:1": single });

    await place.copy("from/app:1", "to/copy:1", { client: { pieceBytes: 500_000, inPieces: true } });

    expect(place.to.count(/^PATCH /)).toBeGreaterThan(5);
    expect(place.from.count(BLOBS)).toBe(2);
    expectWhole(place, "copy", single);
  });

  test.each([
    ["other bytes", corrupt(), "CONTENT_MISMATCH"],
    ["no such blob", status(404, { on: BLOBS }), "IMAGE_NOT_FOUND"],
    ["nothing more for good", cut(10, { on: BLOBS }), "REGISTRY_UNREACHABLE"],
  ])("fails when the source sends %s, and gives no name", async (_, fault, code) => {
    await using place = new CopyPlace({ "app:1": single });
    place.from.break(fault);

    const error = await place.copy("from/app:1", "to/copy:1").catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ code });
    expect(place.to.content("copy")?.tags.size ?? 0).toBe(0);
    expect(
      place.to.content("copy")?.blobs.has(single.layers[0]?.descriptor.digest ?? "") ?? false,
    ).toBeFalse();
  });

  test("ends at once when it is cancelled, and gives no name", async () => {
    await using place = new CopyPlace({ "app:1": single });
    place.from.break(hang({ on: BLOBS }));
    const controller = new AbortController();
    const reason = new Error("enough");

    const copying = place.copy("from/app:1", "to/copy:1", { signal: controller.signal });
    while (place.from.count(BLOBS) === 0) await Bun.sleep(5);
    controller.abort(reason);

    expect(await copying.catch((thrown: unknown) => thrown)).toBe(reason);
    expect(place.to.content("copy")?.tags.size ?? 0).toBe(0);
  });

  test("refuses an index that names what is not there, and says how to copy the rest", async () => {
    const sparse = {
      ...index,
      manifests: new Map([...index.manifests].filter(([key]) => key !== arm64.digest)),
    };
    await using place = new CopyPlace({ "app:1": sparse });

    const error = await place
      .copy("from/app:1", "to/copy:1", { all: true })
      .catch((thrown: unknown) => thrown);
    await place.copy("from/app:1", "to/copy:1");

    expect(error).toMatchObject({
      code: "COPY_FAILED",
      message: expect.stringContaining(`its index names ${arm64.digest}, which is not there`),
      hint: expect.stringContaining("--platform"),
    });
    expectWhole(place, "copy", amd64);
  });

  test.each([true, false])(
    "follows four indices, one in another, and refuses five (all: %p)",
    async (all) => {
      const nest = (document: BuiltDocument, depth: number): BuiltDocument =>
        depth === 0 ? document : nest(buildIndex({ images: [document] }), depth - 1);
      const four = nest(amd64, 4);
      await using place = new CopyPlace({ "four:1": four, "five:1": nest(four, 1) });

      const copied = await place.copy("from/four:1", "oci:layout:1", { all });
      const again = await place.copy("from/four:1", "oci:layout:1", { all });
      const error = await place.copy("from/five:1", "to/copy:1", { all }).catch((thrown: unknown) => thrown);

      expect(`${copied.digest}`).toBe(all ? four.digest : amd64.digest);
      expect(again.status).toBe("unchanged");
      expect(error).toMatchObject({
        code: "COPY_FAILED",
        message: expect.stringContaining("more than 4 indices, one in another"),
      });
    },
  );

  test("refuses indices without end, content of other kinds, and other platforms than asked for", async () => {
    let deep: BuiltDocument = amd64;
    for (let depth = 0; depth < 6; depth += 1) deep = buildIndex({ images: [deep] });
    const odd = buildIndex({
      images: [],
      document: { manifests: [{ ...descriptorOf(amd64), mediaType: "text/plain" }] },
    });
    await using place = new CopyPlace({ "deep:1": deep, "odd:1": odd, "app:1": amd64 });
    const failure = (name: string, wish: Parameters<CopyPlace["copy"]>[2]) =>
      place.copy(`from/${name}`, "to/copy:1", wish).catch((thrown: unknown) => thrown);

    expect(await failure("deep:1", { all: true })).toMatchObject({ code: "COPY_FAILED" });
    expect(await failure("deep:1", {})).toMatchObject({ code: "COPY_FAILED" });
    expect(await failure("odd:1", { all: true })).toMatchObject({
      message: expect.stringContaining('its index names content of type "text/plain"'),
    });
    expect(await failure("app:1", { choice: ARM64 })).toMatchObject({ code: "PLATFORM_NOT_FOUND" });
    expect(place.to.content("copy")).toBeUndefined();
  });
});

describe.skipIf(!hasDockerRegistry)(
  "docker-registry (skipped: without docker-registry, skopeo or openssl)",
  () => {
    test.each(["htpasswd", "token"] as const)(
      "is copied to, within, and from, with a login (%s)",
      async (auth) => {
        await using registry = await startDockerRegistry({
          auth,
          user: USER,
          private: ["team/app", "other/app"],
        });
        await using place = new CopyPlace({ "app:1": index });
        const client = {
          credentials: {
            [registry.host]: { type: "password", username: USER.name, password: USER.password },
          },
        } as const;
        const wish = { all: true, referrers: [], client };
        const names = [`${registry.host}/team/app:1`, `${registry.host}/other/app:1`, "to/app:1"];

        const states = new Set<string>();
        let from = "from/app:1";
        for (const to of names) {
          const onProgress = (progress: PushProgress) =>
            void (from.includes("team") && progress.kind === "layer" && states.add(progress.state));
          await place.copy(from, to, { ...wish, onProgress });
          from = to;
        }

        expectWhole(place, "app", index);
        expect([...states]).toEqual(["mounted"]);
      },
      30_000,
    );
  },
);

const single = buildImage({ layers: [{ ...shared, compression: "none" }] });

/** The registry that was copied to has all of a document, byte by byte. */
function expectWhole(place: CopyPlace, repository: string, document: BuiltDocument): void {
  const content = place.to.content(repository);
  for (const [digest, { bytes, mediaType }] of document.manifests) {
    expect(content?.manifests.get(digest)?.mediaType).toBe(mediaType);
    expect(Buffer.from(content?.manifests.get(digest)?.bytes ?? []).equals(Buffer.from(bytes))).toBeTrue();
  }
  for (const [digest, bytes] of document.blobs)
    expect(Buffer.from(content?.blobs.get(digest) ?? []).equals(Buffer.from(bytes))).toBeTrue();
}
