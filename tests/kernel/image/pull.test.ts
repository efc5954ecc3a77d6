import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { flattenLayers } from "../../../src/fs/copy_tree.ts";
import { findImage } from "../../../src/store/find_image.ts";
import { findImageById, listImages } from "../../../src/store/images.ts";
import { listLayer, snapshotLayer } from "../../helpers/files_snapshot.ts";
import {
  buildImage,
  buildIndex,
  buildLayer,
  type ImageSpec,
  type LayerSpec,
} from "../../helpers/image_builder.ts";
import { isRoot } from "../../helpers/layer_sandbox.ts";
import { PullSandbox } from "../../helpers/pull_sandbox.ts";
import { BLOBS, corrupt, drip, type Fault, overrun, shorten } from "../../helpers/registry_faults.ts";
import { noise } from "../../helpers/registry_fixture.ts";
import { listTree, snapshotTree } from "../../helpers/tree_snapshot.ts";

const title = (text: string): string => (isRoot ? text : `skipped: needs root: ${text}`);
const rootTest = test.skipIf(!isRoot);
/** For ten pulls, each of which is killed and done again, on a machine with much to do. */
const KILLS_MS_MAX = 180_000;

/** Small enough to be unpacked in the calling thread. */
const small: LayerSpec = { entries: [{ name: "etc/" }, { name: "etc/small", data: "s" }] };
/** Large enough for a lane of two Workers, where the machine has two processors. */
const large: LayerSpec = { entries: [{ name: "usr/" }, { name: "usr/large", data: noise(7_000_000) }] };
const sizes: ReadonlyArray<readonly [string, LayerSpec]> = [
  ["a small layer", small],
  ["a large layer", large],
];

describe("pullImage()", () => {
  rootTest(title("brings layers of all sizes and compressions, and records what run needs"), async () => {
    const zstd: LayerSpec = {
      ...large,
      entries: [...(large.entries ?? []), { name: "z" }],
      compression: "zstd",
    };
    const plain: LayerSpec = { entries: [{ name: "plain", data: noise(2_000_000) }], compression: "none" };
    const image = buildImage({
      layers: [small, large, zstd, plain],
      config: { Env: ["A=1"], Cmd: ["c"], Entrypoint: ["e"], WorkingDir: "/w", User: "u" },
    });
    await using sandbox = PullSandbox.serve({ "app:latest": image });

    const { image: pulled, status } = await sandbox.pull();

    expect(status).toBe("downloaded");
    expect(findImage(sandbox.root, sandbox.reference())).toEqual(pulled);
    expect(pulled).toMatchObject({
      imageId: image.configDigest,
      manifestDigest: image.digest,
      overlayXattrs: "trusted",
      config: { env: ["A=1"], cmd: ["c"], entrypoint: ["e"], workingDir: "/w", user: "u" },
    });
    const trees = pulled.layers.map((layer) => listLayer(`${sandbox.root}/${layer}`));
    expect(trees).toEqual([
      ["etc/", "etc/small"],
      ["usr/", "usr/large"],
      ["usr/", "usr/large", "z"],
      ["plain"],
    ]);
    for (const digest of [...image.blobs.keys(), image.digest]) {
      expect(existsSync(`${sandbox.root}/blobs/${digest.replace(":", "/")}`)).toBeTrue();
    }
    expect(readdirSync(`${sandbox.root}/tmp`)).toEqual([]);
  });

  rootTest(title("fetches nothing when the registry still means what is here"), async () => {
    await using sandbox = PullSandbox.serve({ "app:latest": { layers: [small] } });
    await sandbox.pull();
    const before = sandbox.registry.requests.length;

    const { status } = await sandbox.pull();

    expect(status).toBe("up-to-date");
    const later = sandbox.registry.requests.slice(before).map(({ method }) => method);
    expect(new Set(later)).toEqual(new Set(["HEAD"]));
  });

  rootTest(title("fetches a layer that two images or two pulls share only once"), async () => {
    const other: LayerSpec = { entries: [{ name: "other" }] };
    await using sandbox = PullSandbox.serve({
      "one:latest": { layers: [large, small] },
      "two:latest": { layers: [large, other] },
    });

    const results = await Promise.all(
      ["one", "two"].map((name) => sandbox.pull({ reference: sandbox.reference(`${name}:latest`) })),
    );

    const [one, two] = results.map(({ image }) => image.layers[0]);
    expect(one).toBe(two ?? "");
    expect([...sandbox.blobRequests().values()].every((count) => count === 1)).toBeTrue();
  });

  rootTest(title("takes one layer twice in one image, also where it depends on those below"), async () => {
    const dependent: LayerSpec = { entries: [{ name: "d/file", data: "x" }] };
    const closed: LayerSpec = { entries: [{ name: "d/", mode: 0o700 }] };
    await using sandbox = PullSandbox.serve({
      "app:latest": { layers: [small, dependent, closed, dependent, small] },
    });

    const { image } = await sandbox.pull();

    expect(image.layers[0]).toBe(image.layers[4] ?? "");
    const modes = [1, 3].map((index) => snapshotLayer(`${sandbox.root}/${image.layers[index]}`)["d"]?.mode);
    expect(modes).toEqual(["755", "700"]);
  });

  rootTest(title("drops what lies below a layer that hides everything"), async () => {
    const hiding: LayerSpec = { entries: [{ name: ".wh..wh..opq" }, { name: "only" }] };
    await using sandbox = PullSandbox.serve({ "app:latest": { layers: [small, hiding] } });

    const { image } = await sandbox.pull();

    expect(image.layers.map((layer) => listLayer(`${sandbox.root}/${layer}`))).toEqual([["only"]]);
  });

  rootTest(title("unpacks a layer again from its blob when its directory is gone"), async () => {
    await using sandbox = PullSandbox.serve({ "app:latest": { layers: [large] } });
    const { image } = await sandbox.pull();
    await Bun.$`rm -rf ${sandbox.root}/${image.layers[0]}`;

    const { status } = await sandbox.pull();

    expect(status).toBe("downloaded");
    expect(listLayer(`${sandbox.root}/${image.layers[0]}`)).toEqual(["usr/", "usr/large"]);
    expect([...sandbox.blobRequests().values()]).toEqual([1, 1]);
  });

  rootTest(
    title("keeps the images of several platforms, of Docker's media types, side by side"),
    async () => {
      const platforms = ["amd64", "arm64"].map((architecture) => ({ os: "linux", architecture }));
      const images = platforms.map((platform) =>
        buildImage({ layers: [small], platform, flavour: "docker" }),
      );
      await using sandbox = PullSandbox.serve({ "app:latest": buildIndex({ images, flavour: "docker" }) });
      const own = (await sandbox.pull()).image;

      const [amd, arm] = await Promise.all(platforms.map((platform) => sandbox.pull({ platform })));

      expect([amd?.image.architecture, arm?.image.architecture]).toEqual(["amd64", "arm64"]);
      expect(findImage(sandbox.root, sandbox.reference())).toEqual(own);
      for (const [index, platform] of platforms.entries()) {
        const found = findImage(sandbox.root, sandbox.reference(), platform);
        expect(found?.manifestDigest).toBe(images[index]?.digest as never);
      }
    },
  );

  rootTest(title("unpacks in a user namespace with one id, and counts what that cannot keep"), async () => {
    const mixed: LayerSpec = {
      entries: [
        { name: "mine", data: "1" },
        { name: "other", data: "2", uid: 5, gid: 5, mode: 0o4755 },
        { name: "null", type: "char", major: 1, minor: 3 },
        { name: "dir/" },
        { name: "dir/.wh..wh..opq" },
        { name: ".wh.gone" },
      ],
    };
    await using sandbox = PullSandbox.serve({ "app:latest": { layers: [small, mixed] } });
    const script = `
      import { pullImage } from "${import.meta.dir}/../../../src/image/pull.ts";
      import { parseReference } from "${import.meta.dir}/../../../src/oci/reference.ts";
      const reference = parseReference("${sandbox.registry.host}/app:latest");
      const result = await pullImage({ reference, root: "${sandbox.root}", rootless: { owners: "single" } });
      console.log(JSON.stringify(result));
    `;

    const child = Bun.spawn(["unshare", "-U", "-r", process.execPath, "-e", script], { stdout: "pipe" });
    const { image, skipped } = JSON.parse(await new Response(child.stdout).text());

    expect(skipped).toEqual({ owners: 1, devices: 1, xattrs: 0 });
    expect(image.overlayXattrs).toBe("user");
    const tree = snapshotTree(`${sandbox.root}/${image.layers[1]}`);
    expect(tree["dir"]?.xattrs).toEqual(["user.overlay.opaque=79"]);
    expect(tree["gone"]).toMatchObject({ type: "char", content: "0" });
    expect(tree["other"]).toMatchObject({ owner: "0:0", mode: "4755" });
  });

  rootTest(title("keeps the archives' whiteout files where the data root is an overlay itself"), async () => {
    const hiding: LayerSpec = { entries: [{ name: "etc/" }, { name: "etc/.wh.small" }, { name: "etc/new" }] };
    await using sandbox = PullSandbox.serve({ "app:latest": { layers: [small, hiding] } });
    // A disk of its own: an overlay cannot be the upper layer of another, as where the tests run in a container.
    const disk = `${sandbox.path}/disk`;
    await Bun.$`mkdir -p ${disk} ${sandbox.root}; mount -t tmpfs bunker-test ${disk}`;
    await Bun.$`mkdir ${disk}/lower ${disk}/upper ${disk}/work`;
    const options = `lowerdir=${disk}/lower,upperdir=${disk}/upper,workdir=${disk}/work`;
    await Bun.$`mount -t overlay -o ${options} bunker-test ${sandbox.root}`;
    try {
      const { image } = await sandbox.pull();

      const layers = image.layers.map((layer) => `${sandbox.root}/${layer}`);
      flattenLayers(layers, `${sandbox.path}/merged`, { whiteouts: "files" });
      expect(image.overlayXattrs).toBe("files");
      expect(listTree(`${sandbox.path}/merged`)).toEqual(["etc/", "etc/new"]);
    } finally {
      await Bun.$`umount ${sandbox.root}; umount ${disk}`;
    }
  });

  rootTest(title("closes the data root to other users"), async () => {
    await using sandbox = PullSandbox.serve({ "app:latest": { layers: [small] } });
    await sandbox.pull();

    const modeOf = (path: string): string => (statSync(`${sandbox.root}/${path}`).mode & 0o7777).toString(8);

    expect(["", "l", "tmp", "refs", "blobs"].map(modeOf)).toEqual(["700", "711", "700", "700", "700"]);
  });

  test.skipIf(!isRoot || Bun.which("umoci") === null)(
    title("leaves an OCI layout that other tools read, and finds the image by the beginning of its id"),
    async () => {
      await using sandbox = PullSandbox.serve({ "app:latest": { layers: [small, large] } });
      const { image } = await sandbox.pull();

      const tags = await Bun.$`umoci ls --layout ${sandbox.root}`.text();

      expect(tags.trim()).toBe(`${sandbox.registry.host}/app:latest`);
      expect(listImages(sandbox.root)).toEqual([image]);
      expect(findImageById(sandbox.root, image.imageId.slice(7, 19))).toEqual(image);
    },
  );
});

describe("a pull that fails changes nothing", () => {
  const faults: ReadonlyArray<readonly [string, () => Fault, string]> = [
    ["a flipped bit", () => corrupt({ on: BLOBS, at: 600 }), "CONTENT_MISMATCH"],
    ["a blob cut short", () => shorten(500), "CONTENT_MISMATCH"],
    ["a blob that is too long", () => overrun(noise(100)), "CONTENT_MISMATCH"],
  ];
  for (const [size, layer] of sizes) {
    const plain = { ...layer, compression: "none" as const };
    rootTest(title(`for ${size} with a flipped bit in its gzip data`), async () => {
      await using sandbox = PullSandbox.serve({ "app:latest": { layers: [layer] } });
      sandbox.registry.break(onLayers(corrupt({ on: BLOBS, at: 60 }), layer));

      const pull = sandbox.pull();

      await expect(pull).rejects.toMatchObject({ code: "CONTENT_MISMATCH" });
      expect(sandbox.content()).toEqual([]);
    });

    rootTest.each(faults)(title(`for ${size} with %s`), async (_, fault, code) => {
      await using sandbox = PullSandbox.serve({ "app:latest": { layers: [plain] } });
      sandbox.registry.break(onLayers(fault(), plain));

      const pull = sandbox.pull();

      await expect(pull).rejects.toMatchObject({ code });
      expect(sandbox.content()).toEqual([]);
    });

    const wrong: ReadonlyArray<readonly [string, ImageSpec, string]> = [
      ["another diffID", { layers: [{ ...layer, diffId: `sha256:${"0".repeat(64)}` }] }, "CONTENT_MISMATCH"],
      ["a gzip member that the diffID leaves out", { layers: [withSecondMember(layer)] }, "CONTENT_MISMATCH"],
      ["gzip data that is cut short", { layers: [cutShort(layer)] }, "LAYER_COMPRESSION"],
      ["something after the gzip data", { layers: [withGarbage(layer)] }, "LAYER_COMPRESSION"],
      ["a path that leads out", { layers: [withEntry(layer, "../x")] }, "LAYER_INVALID"],
      ["a second, hostile layer", { layers: [small, withEntry(layer, "a/../../x")] }, "LAYER_INVALID"],
      ["an archive that is cut short", { layers: [withoutEnd(layer)] }, "ARCHIVE_INVALID"],
    ];
    rootTest.each(wrong)(title(`for ${size} with %s`), async (_, spec, code) => {
      await using sandbox = PullSandbox.serve({ "app:latest": spec });

      const pull = sandbox.pull();

      await expect(pull).rejects.toMatchObject({ code });
      expect(sandbox.content()).toEqual([]);
    });

    rootTest(title(`for ${size} on a full disk, and gives the space back`), async () => {
      await using sandbox = PullSandbox.serve({
        "app:latest": { layers: [layer, { entries: [{ name: "big", data: noise(12_000_000) }] }] },
      });
      mkdirSync(sandbox.root);
      await Bun.$`mount -t tmpfs -o size=8m bunker-test ${sandbox.root}`;
      try {
        const pull = sandbox.pull();

        await expect(pull).rejects.toMatchObject({ code: "DISK_FULL" });
        expect(sandbox.content()).toEqual([]);
        expect(
          Number(await Bun.$`du -s --block-size=1 ${sandbox.root}`.text().then(Number.parseFloat)),
        ).toBeLessThan(200_000);
      } finally {
        await Bun.$`umount ${sandbox.root}`;
      }
    });

    rootTest(title(`when it is aborted in the middle of ${size}`), async () => {
      await using sandbox = PullSandbox.serve({
        "app:latest": { layers: [{ ...layer, compression: "none" }] },
      });
      sandbox.registry.break(onLayers(drip(200, 50), { ...layer, compression: "none" }));
      const abort = new AbortController();

      const pull = sandbox.pull({ signal: abort.signal });
      await Bun.sleep(60);
      abort.abort(new Error("enough"));

      await expect(pull).rejects.toThrow("enough");
      expect(sandbox.content()).toEqual([]);
    });
  }

  rootTest(title("when it is killed, and the next one removes what it left"), async () => {
    await using sandbox = PullSandbox.serve({ "app:latest": { layers: [large, small] } });
    sandbox.registry.break(drip(20_000, 20, { on: BLOBS, times: 3 }));
    const child = spawnPull(sandbox);
    while (!sandbox.content().some((name) => name.startsWith("tmp/"))) await Bun.sleep(10);
    await Bun.sleep(100);

    child.kill("SIGKILL");
    await child.exited;
    const left = sandbox.content();
    const { status } = await sandbox.pull();

    expect(left.filter((name) => !name.startsWith("tmp/"))).toEqual([]);
    expect(left).not.toEqual([]);
    expect(status).toBe("downloaded");
    expect(readdirSync(`${sandbox.root}/tmp`)).toEqual([]);
  });

  const delaysMs = [60, 80, 100, 110, 120, 130, 140, 150, 170, 200];
  rootTest(
    title("when it is killed at any time: the image is whole or not there"),
    async () => {
      for (const delayMs of delaysMs) {
        // One after the other: each kill is at another stage of the same pull.
        await using sandbox = PullSandbox.serve({ "app:latest": { layers: [large, small] } });
        const child = spawnPull(sandbox);
        await Bun.sleep(delayMs);
        child.kill("SIGKILL");
        await child.exited;

        const killed = findImage(sandbox.root, sandbox.reference());
        const { image } = await sandbox.pull();

        for (const { layers } of killed === undefined ? [image] : [killed, image]) {
          const trees = layers.map((layer) => listLayer(`${sandbox.root}/${layer}`));
          expect(trees).toEqual([
            ["usr/", "usr/large"],
            ["etc/", "etc/small"],
          ]);
        }
        expect(readdirSync(`${sandbox.root}/tmp`)).toEqual([]);
      }
    },
    KILLS_MS_MAX,
  );
});

/** A process of its own that pulls `app:latest`. */
function spawnPull({ registry, root }: PullSandbox): Bun.Subprocess {
  const script = `
    import { pullImage } from "${import.meta.dir}/../../../src/image/pull.ts";
    import { parseReference } from "${import.meta.dir}/../../../src/oci/reference.ts";
    await pullImage({ reference: parseReference("${registry.host}/app:latest"), root: "${root}" });
  `;
  return Bun.spawn([process.execPath, "-e", script], { stdout: "ignore", stderr: "ignore" });
}

/** The fault, for the blob of one layer only. */
function onLayers(fault: Fault, layer: LayerSpec): Fault {
  const { digest } = buildLayer(layer).descriptor;
  return { ...fault, takes: (request) => request.path.includes(digest) && fault.takes(request) };
}

function withSecondMember(layer: LayerSpec): LayerSpec {
  const { blob, diffId } = buildLayer(layer);
  return { ...layer, diffId, blob: Buffer.concat([blob, Bun.gzipSync(Buffer.from("more"))]) };
}

function cutShort(layer: LayerSpec): LayerSpec {
  return { ...layer, blob: buildLayer(layer).blob.slice(0, -20) };
}

function withGarbage(layer: LayerSpec): LayerSpec {
  return { ...layer, blob: Buffer.concat([buildLayer(layer).blob, Buffer.from("garbage")]) };
}

function withEntry(layer: LayerSpec, name: string): LayerSpec {
  return { ...layer, entries: [...(layer.entries ?? []), { name, data: "x" }] };
}

function withoutEnd(layer: LayerSpec): LayerSpec {
  const tar = buildLayer({ ...layer, compression: "none" }).blob;
  const end = tar.length - 1024 - 300;
  return { tar: tar.slice(0, end) };
}
