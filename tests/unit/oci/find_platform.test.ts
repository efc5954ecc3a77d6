import { describe, expect, test } from "bun:test";
import { findForPlatform } from "../../../src/oci/find_platform.ts";
import { type ImageIndex, type ImageManifest, parseManifest } from "../../../src/oci/manifest.ts";
import { parsePlatform } from "../../../src/oci/platform.ts";
import {
  type BuiltDocument,
  buildImage,
  buildIndex,
  type ManifestBytes,
} from "../../helpers/image_builder.ts";

describe("findForPlatform()", () => {
  test("follows four indices, one in another, and refuses five", async () => {
    const four = nested(imageFor("linux/amd64"), 4);

    const { found, indices } = await search(four);

    expect([found?.content.kind, indices.length]).toEqual(["manifest", 4]);
    expect(indices[0]?.digest).toBe(four.digest);
    await expect(search(nested(four, 1))).rejects.toThrow("more than 4 indices, one in another");
  });

  test("looks through sixteen indices and refuses seventeen", async () => {
    const arms = Array.from({ length: 15 }, (_, count) => nested(imageFor(`linux/arm64/v8.${count}`), 1));
    const fifteenth = buildIndex({ images: [...arms.slice(1), nested(imageFor("linux/amd64"), 1)] });

    expect((await search(fifteenth)).found?.content.kind).toBe("manifest");
    await expect(
      search(buildIndex({ images: [...arms, nested(imageFor("linux/amd64"), 1)] })),
    ).rejects.toThrow("more than 16 indices");
  });

  test("says which platforms it has seen when none is the one", async () => {
    const arm = imageFor("linux/arm64");
    const { found, indices, available } = await search(
      buildIndex({ images: [nested(arm, 1), imageFor("linux/s390x")] }),
    );

    expect([found, indices, available]).toEqual([undefined, [], ["linux/s390x", "linux/arm64"]]);
  });

  test("finds a document that is no index whatever its platform", async () => {
    const image = imageFor("linux/arm64");

    expect((await search(image)).found?.digest).toBe(image.digest);
  });
});

interface Read {
  readonly digest: string;
  readonly content: ImageManifest | ImageIndex;
}

const search = (top: BuiltDocument) =>
  findForPlatform({
    top: readFrom(top, top.digest),
    platform: parsePlatform("linux/amd64"),
    read: ({ digest }) => readFrom(top, digest),
    tooMany: (what) => new RangeError(`more than ${what}`),
  });

function readFrom(top: BuiltDocument, digest: string): Read {
  const { bytes, mediaType } = top.manifests.get(digest) as ManifestBytes;
  return { digest, content: parseManifest(bytes, mediaType) };
}

function imageFor(text: string): BuiltDocument {
  const { os, architecture, variant } = parsePlatform(text);
  const platform = { os, architecture, ...(variant === undefined ? {} : { variant }) };
  return buildImage({ platform, layers: [{ entries: [{ name: text }] }] });
}

const nested = (document: BuiltDocument, depth: number): BuiltDocument =>
  depth === 0 ? document : nested(buildIndex({ images: [document] }), depth - 1);
