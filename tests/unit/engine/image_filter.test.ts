/** Filters of images. */
import { describe, expect, test } from "bun:test";
import { parseImageFilters } from "../../../src/engine/image_filter.ts";
import type { ImageSummary } from "../../../src/engine/summary.ts";

const image = (name: string, created: string, labels = {}): ImageSummary => ({
  id: `sha256:${new Bun.CryptoHasher("sha256").update(name).digest("hex")}`,
  repository: name,
  tag: "latest",
  dangling: name === "fresh",
  digest: undefined,
  created: new Date(created),
  sizeBytes: 1,
  platform: "linux/amd64",
  labels,
});
const old = image("old", "2001-01-01", { stage: "test" });
const middle = image("a/middle", "2010-01-01", { stage: "live", __proto__: undefined });
const fresh = image("fresh", new Date().toISOString());
const all = [old, middle, fresh];
const chosen = (...filters: string[]): string[] => {
  const filter = parseImageFilters(filters);
  return all.filter((each) => filter(each, all)).map(({ repository }) => repository);
};

describe("parseImageFilters()", () => {
  const cases: ReadonlyArray<readonly [filters: string[], names: string[]]> = [
    [[], ["old", "a/middle", "fresh"]],
    [["label=stage"], ["old", "a/middle"]],
    [["label=stage=test"], ["old"]],
    [["label=stage", "label=stage=live"], ["a/middle"]],
    [["label!=stage"], ["fresh"]],
    [["label=toString"], []],
    [["reference=*"], ["old", "fresh"]],
    [
      ["reference=old:lat*", "reference=a/*"],
      ["old", "a/middle"],
    ],
    [["before=fresh"], ["old", "a/middle"]],
    [["since=old", "before=fresh:latest"], ["a/middle"]],
    [["until=1h30m"], ["old", "a/middle"]],
    [["until=1000000000"], ["old"]],
    [["dangling=false"], ["old", "a/middle"]],
    [["dangling=1"], ["fresh"]],
  ];
  test.each(cases)("lets through by %j %j", (filters, names) => {
    expect(chosen(...filters)).toEqual(names);
  });

  test.each(["color=red", "label", "until=soon", "dangling=perhaps"])("refuses %j", (filter) => {
    expect(() => parseImageFilters([filter])).toThrow(/^Cannot (?:filter|read)/);
  });

  test("refuses to compare with an image that is not here", () => {
    expect(() => chosen("before=nowhere")).toThrow('Cannot filter by image "nowhere": it is not here');
  });
});
