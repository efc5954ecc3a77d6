/** Paths of mounts. */

import { describe, expect, test } from "bun:test";
import { cleanPath } from "../../../../src/runtime/rootfs/paths.ts";

describe("cleanPath()", () => {
  test.each([
    ["/a/b", "/a/b"],
    ["a//b/", "/a/b"],
    ["/a/./../../b", "/b"],
    ["..", "/"],
    ["", "/"],
    ["/a/...", "/a/..."],
  ])("makes %p the absolute path %p", (path, clean) => {
    expect(cleanPath(path)).toBe(clean);
  });
});
