import { describe, expect, test } from "bun:test";
import { cleanPath, parseEntryName } from "../../../../src/image/unpack/layer_path.ts";

describe("cleanPath()", () => {
  const cases = [
    ["a/b", "a/b"],
    ["./a/b/", "a/b"],
    ["/a//b/./c", "a/b/c"],
    ["a/../b", "b"],
    ["a/...", "a/..."],
    ["..a/.b", "..a/.b"],
    ["./", ""],
    ["/", ""],
    ["a/..", ""],
  ] as const;
  test.each(cases)("makes %j to %j", (path, expected) => {
    expect(cleanPath(path, path)).toBe(expected);
  });

  test.each(["..", "../a", "a/../../b", "/..", "./../a"])("refuses %j", (path) => {
    expect(() => cleanPath(path, path)).toThrow("leads out of the layer");
  });
});

describe("parseEntryName()", () => {
  const cases = [
    ["a/b/c", { kind: "plain", parent: "a/b", name: "c" }],
    ["c/", { kind: "plain", parent: "", name: "c" }],
    ["./", { kind: "root" }],
    ["a/.wh.b", { kind: "whiteout", parent: "a", name: "b" }],
    ["a/.wh..wh..opq", { kind: "opaque", parent: "a" }],
    [".wh..wh..opq", { kind: "opaque", parent: "" }],
    [".wh..wh.plnk/1.2", { kind: "link source", parent: ".wh..wh.plnk", name: "1.2" }],
    [".wh..wh.plnk/dir/1.2", { kind: "ignored" }],
    ["a/.wh..wh.plnk/1.2", { kind: "ignored" }],
    [".wh..wh.plnk", { kind: "ignored" }],
    [".wh..wh.orph/1", { kind: "ignored" }],
    ["a/.wh..wh.aufs", { kind: "ignored" }],
    ["a/.wh.dir/file", { kind: "plain", parent: "a/.wh.dir", name: "file" }],
    ["a.wh.b", { kind: "plain", parent: "", name: "a.wh.b" }],
  ] as const;
  test.each(cases)("tells what %j means", (path, expected) => {
    expect(parseEntryName(path)).toEqual(expected);
  });
});
