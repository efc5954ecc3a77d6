import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { digestOfBytes } from "../../../src/oci/digest.ts";
import { parseReference } from "../../../src/oci/reference.ts";
import { findImage, recordPath, type StoredImage } from "../../../src/store/find_image.ts";
import {
  commitImage,
  findImageById,
  listImages,
  moveNames,
  replaceRecords,
} from "../../../src/store/images.ts";
import { openStore } from "../../../src/store/open_store.ts";

const arm = { os: "linux", architecture: "arm64" };
let root = "";

beforeEach(() => {
  root = mkdtempSync(`${tmpdir()}/bunker-store-`);
  openStore(root);
});
afterEach(() => rmSync(root, { recursive: true }));

function imageOf(text: string, architecture = "amd64"): StoredImage {
  const digest = digestOfBytes(Buffer.from(text + architecture));
  return {
    reference: text,
    manifestDigest: digest,
    manifestMediaType: "application/vnd.oci.image.manifest.v1+json",
    targetDigest: digest,
    imageId: digest,
    layers: ["l/d0"],
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
    architecture,
    storedAt: "2026-01-01T00:00:00Z",
    sizeBytes: 1,
  };
}

async function commit(text: string, platform?: typeof arm): Promise<StoredImage> {
  const image = imageOf(text, platform?.architecture);
  await commitImage(root, image, { reference: parseReference(text), platform });
  return image;
}

describe("recordPath()", () => {
  const cases = [
    ["alpine", "refs/docker.io/library/alpine/:latest.json"],
    ["localhost:5000/a/b:1", "refs/localhost:5000/a/b/:1.json"],
    [`a/b@sha256:${"0".repeat(64)}`, `refs/docker.io/a/b/@sha256:${"0".repeat(64)}.json`],
  ] as const;
  test.each(cases)("gives %j a file of its own below refs", (text, path) => {
    expect(recordPath(parseReference(text))).toBe(path);
  });
});

describe("findImage()", () => {
  test("finds what was committed, by any spelling of its name, and nothing else", async () => {
    const image = await commit("alpine");

    expect(findImage(root, parseReference("docker.io/library/alpine:latest"))).toEqual(image);
    expect(findImage(root, parseReference("alpine:3"))).toBeUndefined();
    expect(findImage(root, parseReference("alpine/latest"))).toBeUndefined();
  });

  test("keeps images of other platforms apart", async () => {
    const own = await commit("alpine");
    const other = await commit("alpine", arm);

    expect(findImage(root, parseReference("alpine"))).toEqual(own);
    expect(findImage(root, parseReference("alpine"), arm)).toEqual(other);
    expect(findImage(root, parseReference("alpine"), { os: "linux", architecture: "s390x" })).toBeUndefined();
  });

  test.each(["", "{", "null", "\0\0\0\0", '{"version":99,"image":{}}'])(
    "takes the record %j as none",
    (text) => {
      const path = `${root}/${recordPath(parseReference("alpine"))}`;
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);

      expect(findImage(root, parseReference("alpine"))).toBeUndefined();
      expect(listImages(root)).toEqual([]);
    },
  );

  test("finds nothing where no store is", () => {
    expect(findImage(`${root}/none`, parseReference("alpine"))).toBeUndefined();
  });
});

describe("findImageById()", () => {
  test("finds by the beginning of an id, and refuses one that several have", async () => {
    const image = await commit("alpine");
    await commit("busybox");

    expect(findImageById(root, image.imageId)).toEqual(image);
    expect(findImageById(root, image.imageId.slice(7, 19))).toEqual(image);
    expect(findImageById(root, "abc")).toBeUndefined();
    expect(findImageById(root, "alpine")).toBeUndefined();
  });
});

describe("replaceRecords()", () => {
  test("removes records alone, and keeps one that is written as well", async () => {
    await commit("alpine");
    const kept = await commit("busybox");
    const record = { image: kept, path: recordPath(parseReference("busybox")) };

    replaceRecords(root, { written: [record], removed: [recordPath(parseReference("alpine")), record.path] });

    expect(listImages(root)).toEqual([kept]);
  });
});

describe("moveNames()", () => {
  const named = (text: string, image: StoredImage) => ({
    image: { ...image, reference: `docker.io/library/${text}` },
    path: recordPath(parseReference(text)),
  });

  test("leaves an image that loses its last name its digest, of each platform", async () => {
    const old = await commit("alpine");
    const other = await commit("alpine", arm);
    const fresh = imageOf("busybox");

    moveNames(root, {
      written: [named("alpine", fresh)],
      removed: [`refs/docker.io/library/alpine/:latest!linux-arm64.json`],
    });

    const left = listImages(root).filter(({ isUntagged }) => isUntagged);
    expect(left.map(({ imageId, reference }) => [imageId, reference]).sort()).toEqual(
      [old, other]
        .map(({ imageId, targetDigest }) => [imageId, `docker.io/library/alpine@${targetDigest}`])
        .sort(),
    );
    expect(findImage(root, parseReference(`alpine@${old.targetDigest}`))?.imageId).toBe(old.imageId);
    expect(findImage(root, parseReference(`alpine@${other.targetDigest}`), arm)?.imageId).toBe(other.imageId);
  });

  test("leaves nothing of an image that has another name, or gets one again", async () => {
    const image = await commit("alpine");
    const fresh = imageOf("busybox");

    moveNames(root, { written: [named("again", image)], removed: [] });
    moveNames(root, { written: [named("alpine", fresh)], removed: [] });
    const withOther = listImages(root);
    moveNames(root, { written: [named("again", fresh)], removed: [] });
    const lost = listImages(root);
    moveNames(root, { written: [named("back", image)], removed: [] });

    expect(withOther.filter(({ isUntagged }) => isUntagged)).toEqual([]);
    expect(lost.filter(({ isUntagged }) => isUntagged)).toHaveLength(1);
    expect(listImages(root).map(({ reference }) => reference.replace("docker.io/library/", ""))).toEqual([
      "again",
      "alpine",
      "back",
    ]);
  });
});

describe("openStore()", () => {
  test("refuses a data root of another version, and says which", () => {
    writeFileSync(`${root}/version`, "7\n");

    expect(() => openStore(root)).toThrow('its layout has version "7"');
  });

  test("makes the same again without a change", () => {
    const before = readdirSync(root);

    openStore(root);

    expect(readdirSync(root)).toEqual(before);
  });
});
