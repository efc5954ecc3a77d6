/** What goes when garbage is collected, what stays, and that a kill between two steps leaves no damage. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { Lock } from "../../../src/fs/lock.ts";
import { blobPath, type Digest, digestOfBytes } from "../../../src/oci/digest.ts";
import { parseReference } from "../../../src/oci/reference.ts";
import { collectGarbage, type Garbage } from "../../../src/store/collect.ts";
import type { StoredImage } from "../../../src/store/find_image.ts";
import { commitImage } from "../../../src/store/images.ts";
import { findLayer, layerLockPath, layerNameOf, writeLayerRecord } from "../../../src/store/layers.ts";
import { openStore } from "../../../src/store/open_store.ts";
import { buildImage } from "../../helpers/image_builder.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(`${tmpdir()}/bunker-collect-`);
  openStore(root);
});
afterEach(() => rmSync(root, { recursive: true }));

describe("collectGarbage()", () => {
  test("takes layers, blobs and documents of no image, and nothing of others", async () => {
    const kept = await store("kept", "both", "own");
    const gone = contentOf("both", "other");

    const garbage = collect();

    expect(garbage.layers.map(({ diffId }) => diffId)).toEqual([gone.diffIds[1] as Digest]);
    expect(garbage.blobs.toSorted()).toEqual(
      gone.blobs.filter((digest) => !kept.blobs.includes(digest)).toSorted(),
    );
    expect(kept.blobs.filter((digest) => !existsSync(`${root}/${blobPath(digest)}`))).toEqual([]);
    expect(readdirSync(`${root}/l`)).toHaveLength(2);
    expect(garbage.sizeBytes).toBeGreaterThan(100);
  });

  test("passes over a layer that a pull has locked, with its blob", async () => {
    const { diffIds, layerBlobs } = contentOf("layer");
    using _ = await Lock.take(layerLockPath(root, diffIds[0] as Digest));

    const garbage = collect();

    expect(garbage.layers).toEqual([]);
    expect(existsSync(`${root}/${blobPath(layerBlobs[0] as Digest)}`)).toBeTrue();
    expect(readdirSync(`${root}/l`)).toHaveLength(1);
  });

  test("passes over layers of containers", () => {
    const { names } = contentOf("layer");

    expect(collect([`l/${names[0]}`]).layers).toEqual([]);
    expect(collect().layers).toHaveLength(1);
  });

  test("takes a layer that has lost its record, and a record that has lost its layer", () => {
    const { names, diffIds } = contentOf("one", "two");
    rmSync(`${root}/layers/${names[0]}.json`);
    rmSync(`${root}/l/${names[1]}`, { recursive: true });
    const key = { diffId: diffIds[0] as Digest, chainId: diffIds[0] as Digest };
    expect(findLayer(root, key, { whiteouts: "trusted", form: "directory" })).toBeUndefined();

    collect();

    expect([readdirSync(`${root}/l`), readdirSync(`${root}/layers`)]).toEqual([[], []]);
  });

  test("takes the locks of pulls that failed or were killed, and none that is held or has a layer", async () => {
    const { diffIds } = await store("kept", "layer");
    const pathOf = (text: string) => layerLockPath(root, digestOfBytes(Buffer.from(text)));
    const free = [pathOf("failed"), pathOf("killed").replace("layer-", "pull-")];
    for (const path of free) (await Lock.take(path))[Symbol.dispose]();
    (await Lock.take(layerLockPath(root, diffIds[0] as Digest)))[Symbol.dispose]();
    using _ = await Lock.take(pathOf("held"));

    collect();

    const left = readdirSync(`${root}/locks`).map((name) => `${root}/locks/${name}`);
    expect(left.toSorted()).toEqual(
      [layerLockPath(root, diffIds[0] as Digest), pathOf("held"), `${root}/locks/images`].toSorted(),
    );
  });

  test("leaves no lock behind for a layer that is gone", async () => {
    const { diffIds } = contentOf("layer");
    (await Lock.take(layerLockPath(root, diffIds[0] as Digest)))[Symbol.dispose]();

    collect();

    expect(readdirSync(`${root}/locks`)).toEqual([]);
  });
});

function collect(used: readonly string[] = []): Garbage {
  const staging = mkdtempSync(`${root}/tmp/`);
  return collectGarbage(root, { used: new Set(used), staging });
}

interface Content {
  readonly image: ReturnType<typeof buildImage>;
  readonly blobs: readonly Digest[];
  readonly layerBlobs: readonly Digest[];
  readonly diffIds: readonly Digest[];
  readonly names: readonly string[];
}

/** Content as a pull leaves it, without an image that refers to it. */
function contentOf(...layers: readonly string[]): Content {
  const image = buildImage({ layers: layers.map((data) => ({ entries: [{ name: "file", data }] })) });
  const blobs = [...image.blobs.values()].map((bytes) => digestOfBytes(bytes));
  if (!blobs.includes(image.digest as Digest)) blobs.push(image.digest as Digest);
  for (const bytes of [...image.blobs.values(), image.bytes]) {
    writeFileSync(`${root}/${blobPath(digestOfBytes(bytes))}`, bytes);
  }
  const names = image.layers.map(({ diffId, descriptor }) => {
    const record = {
      diffId: diffId as Digest,
      blob: descriptor.digest as Digest,
      sizeBytes: 100,
      entries: 1,
      opaque: false,
      overlayXattrs: "trusted" as const,
    };
    const name = layerNameOf(record);
    mkdirSync(`${root}/l/${name}`, { recursive: true });
    writeLayerRecord(`${root}/layers/${name}.json`, record);
    return name;
  });
  return {
    image,
    blobs,
    names,
    layerBlobs: image.layers.map(({ descriptor }) => descriptor.digest as Digest),
    diffIds: image.layers.map(({ diffId }) => diffId as Digest),
  };
}

async function store(name: string, ...layers: readonly string[]): Promise<Content> {
  const content = contentOf(...layers);
  const { image, names } = content;
  const stored: StoredImage = {
    reference: name,
    manifestDigest: image.digest as Digest,
    manifestMediaType: image.mediaType,
    targetDigest: image.digest as Digest,
    imageId: image.configDigest as Digest,
    layers: names.map((each) => `l/${each}`),
    overlayXattrs: "trusted",
    config: {
      env: [],
      entrypoint: [],
      cmd: [],
      workingDir: "",
      user: "",
      stopSignal: "",
      volumes: [],
      exposedPorts: [],
      labels: {},
    },
    os: "linux",
    architecture: "amd64",
    storedAt: "2026-01-01T00:00:00Z",
    sizeBytes: 200,
  };
  await commitImage(root, stored, { reference: parseReference(name) });
  return content;
}
