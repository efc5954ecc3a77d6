/** What a pull keeps so that an image can be handed on with its digests: indices, and every compressed layer. */
import { describe, expect } from "bun:test";
import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { checkSystem } from "../../../src/engine/check_system.ts";
import { removeImage } from "../../../src/engine/remove_image.ts";
import { takeUnderLock } from "../../../src/engine/take_garbage.ts";
import { buildImage, buildIndex, type LayerSpec } from "../../helpers/image_builder.ts";
import { PullSandbox } from "../../helpers/pull_sandbox.ts";
import { corrupt } from "../../helpers/registry_faults.ts";
import { noise, registryErrorOf } from "../../helpers/registry_fixture.ts";
import { executable, testIf } from "../../helpers/requires.ts";

const layer: LayerSpec = { entries: [{ name: "file", data: noise(200_000) }] };
const other: LayerSpec = { entries: [{ name: "other", data: "other" }] };
const amd64 = buildImage({ layers: [layer], platform: { os: "linux", architecture: "amd64" } });
const arm64 = buildImage({ layers: [layer, other], platform: { os: "linux", architecture: "arm64" } });
const inner = buildIndex({ images: [amd64, arm64], attestations: true });
const outer = buildIndex({ images: [inner] });
const AMD64 = { os: "linux", architecture: "amd64" };
const ARM64 = { os: "linux", architecture: "arm64" };

describe("pullImage()", () => {
  testIf(["root"], "keeps the bytes of every index on the way to the manifest", async () => {
    await using sandbox = PullSandbox.serve({ "app:latest": outer });
    await sandbox.pull({ platform: AMD64 });

    await collect(sandbox.root);

    for (const document of [outer, inner]) {
      expect(readFileSync(pathOf(sandbox, document.digest))).toEqual(Buffer.from(document.bytes));
    }
    expect(existsSync(pathOf(sandbox, arm64.digest))).toBeFalse();
    expect((await check(sandbox)).faults).toEqual([]);
  });

  testIf(["root"], "removes an index with the last image that came by it", async () => {
    await using sandbox = PullSandbox.serve({ "app:latest": outer, "copy:latest": outer });
    await sandbox.pull({ platform: AMD64 });
    await sandbox.pull({ platform: ARM64, reference: sandbox.reference("copy:latest") });

    await remove(sandbox, "app");
    const between = existsSync(pathOf(sandbox, inner.digest));
    const images = [amd64, arm64].map(({ digest }) => existsSync(pathOf(sandbox, digest)));
    await remove(sandbox, "copy");

    expect(between).toBeTrue();
    expect(images).toEqual([false, true]);
    expect(sandbox.content().filter((path) => path.startsWith("blobs"))).toEqual([]);
  });

  testIf(["root"], "says which index is damaged, keeps its image, and pulls it again", async () => {
    await using sandbox = PullSandbox.serve({ "app:latest": outer });
    await sandbox.pull({ platform: AMD64 });
    writeFileSync(pathOf(sandbox, inner.digest), "{}");

    const { faults } = await check(sandbox);
    await checkSystem({ repair: true }, { debug: false, embedded: true, root: sandbox.root });
    const { status } = await sandbox.pull({ platform: AMD64 });

    expect(faults.map(({ state, isBroken }) => [state, isBroken])).toEqual([
      [expect.stringContaining("its content has the digest"), true],
      [`its index ${inner.digest} is missing or damaged: it runs, but is pushed without`, false],
    ]);
    expect(status).toBe("downloaded");
    expect((await check(sandbox)).faults).toEqual([]);
  });

  testIf(["root"], "fetches the blob of a layer that is unpacked already, once for many pulls", async () => {
    const zstd = buildImage({ layers: [{ ...layer, compression: "zstd" }, other] });
    await using sandbox = PullSandbox.serve({ "app:latest": amd64, "zstd:1": zstd, "zstd:2": zstd });
    await sandbox.pull({ platform: AMD64 });

    const pulled = await Promise.all(
      ["zstd:1", "zstd:2"].map((name) => sandbox.pull({ reference: sandbox.reference(name) })),
    );

    expect(pulled[0]?.image.layers[0]).toBe(pulled[1]?.image.layers[0] ?? "");
    const [digest = ""] = zstd.layers.map(({ descriptor }) => descriptor.digest);
    expect(sandbox.blobRequests().get(digest)).toBe(1);
    expect(readFileSync(pathOf(sandbox, digest)).equals(Buffer.from(zstd.layers[0]?.blob ?? []))).toBeTrue();
    expect((await check(sandbox)).faults).toEqual([]);
  });

  for (const [what, damage] of [
    ["is gone", rmSync],
    ["was cut short", (path: string) => truncateSync(path, 10)],
  ] as const) {
    testIf(["root"], `fetches a blob that ${what} again, and unpacks nothing`, async () => {
      await using sandbox = PullSandbox.serve({ "app:latest": arm64 });
      const { image } = await sandbox.pull({ platform: ARM64 });
      const [first = ""] = arm64.layers.map(({ descriptor }) => descriptor.digest);
      damage(pathOf(sandbox, first));

      const states: string[] = [];
      const again = await sandbox.pull({
        platform: ARM64,
        onProgress: (progress) => void (progress.kind === "layer" && states.push(progress.state)),
      });

      expect(again.image.layers).toEqual(image.layers);
      expect([...sandbox.blobRequests()].filter(([digest]) => digest === first)).toEqual([[first, 2]]);
      expect(states.filter((state) => state === "exists")).toHaveLength(1);
      expect((await check(sandbox)).faults).toEqual([]);
    });
  }

  testIf(["root", "the executable"], "fetches it once for many processes", async () => {
    await using sandbox = PullSandbox.serve({ "app:latest": arm64 });
    await sandbox.pull({ platform: ARM64 });
    const [first = ""] = arm64.layers.map(({ descriptor }) => descriptor.digest);
    rmSync(pathOf(sandbox, first));
    const words = [
      "--root",
      sandbox.root,
      "--state",
      `${sandbox.path}/state`,
      "pull",
      "-q",
      "--platform",
      "arm64",
    ];

    const children = Array.from({ length: 8 }, () =>
      Bun.spawn([executable, ...words, `${sandbox.registry.host}/app`], {
        stdio: ["ignore", "ignore", "inherit"],
      }),
    );
    const codes = await Promise.all(children.map(({ exited }) => exited));

    expect(codes).toEqual(codes.map(() => 0));
    expect(sandbox.blobRequests().get(first)).toBe(2);
    expect((await check(sandbox)).faults).toEqual([]);
  });

  testIf(["root"], "keeps no blob of other content than its digest says", async () => {
    await using sandbox = PullSandbox.serve({ "app:latest": arm64 });
    await sandbox.pull({ platform: ARM64 });
    const [first = ""] = arm64.layers.map(({ descriptor }) => descriptor.digest);
    rmSync(pathOf(sandbox, first));
    sandbox.registry.break(corrupt({ on: new RegExp(`^GET .*/blobs/${first}`) }));

    const error = await registryErrorOf(sandbox.pull({ platform: ARM64 }));

    expect(error.code).toBe("CONTENT_MISMATCH");
    expect(existsSync(pathOf(sandbox, first))).toBeFalse();
    expect(sandbox.content().filter((path) => path.startsWith("tmp/"))).toEqual([]);
  });
});

const pathOf = ({ root }: PullSandbox, digest: string): string => `${root}/blobs/${digest.replace(":", "/")}`;

const check = ({ root }: PullSandbox) => checkSystem({ repair: false }, { debug: false, root });

const remove = (sandbox: PullSandbox, name: string) =>
  removeImage(
    `${sandbox.registry.host}/${name}`,
    { force: false },
    { debug: false, embedded: true, root: sandbox.root },
  );

async function collect(root: string): Promise<void> {
  const { finish } = await takeUnderLock(root, () => undefined);
  await finish({ debug: false, embedded: true, root });
}
