import { describe, expect, test } from "bun:test";
import { parseDigest } from "../../../src/oci/digest.ts";
import { chainIds, type LayerRecord, layerNameOf } from "../../../src/store/layers.ts";
import { chainLayerName, diffLayerName } from "../../../src/store/layout.ts";

const [one, two] = ["1", "2"].map((digit) => parseDigest(`sha256:${digit.repeat(64)}`));

describe("chainIds()", () => {
  test("hashes each chain with the layer on top, as image-spec has it", async () => {
    const chain = chainIds([one, two, one].filter((digest) => digest !== undefined));

    const second = await Bun.$`printf '%s %s' ${one} ${two} | sha256sum`.text();
    const third = await Bun.$`printf 'sha256:%s %s' ${second.slice(0, 64)} ${one} | sha256sum`.text();
    expect(chain).toEqual([one, `sha256:${second.slice(0, 64)}`, `sha256:${third.slice(0, 64)}`] as never);
  });
});

describe("layer names", () => {
  test("leave room for 127 layers in a page of mount options", () => {
    const directory = `l/${diffLayerName(one ?? parseDigest(""))}`;

    expect(127 * (directory.length + 1)).toBeLessThan(4096 - "upperdir=,workdir=,lowerdir=".length - 200);
    expect(chainLayerName(one ?? parseDigest(""))).not.toBe(diffLayerName(one ?? parseDigest("")));
  });

  test("tell the forms of one layer apart: a container may use the one while the other is made", () => {
    const diffId = one ?? parseDigest("");
    const record = { diffId, blob: diffId, sizeBytes: 1, entries: 1, opaque: false } as const;
    const forms: readonly LayerRecord[] = [
      { ...record, overlayXattrs: "trusted" },
      { ...record, overlayXattrs: "trusted", form: "erofs" },
      { ...record, overlayXattrs: "files" },
    ];

    expect(forms.map(layerNameOf)).toEqual(
      ["", ".erofs", ".wh"].map((suffix) => diffLayerName(diffId) + suffix),
    );
  });
});
