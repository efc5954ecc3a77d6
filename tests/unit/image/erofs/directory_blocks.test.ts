import { describe, expect, test } from "bun:test";
import { encodeBlock, planBlocks } from "../../../../src/image/erofs/directory_blocks.ts";

const BLOCK = 4096;
/** Takes 12 bytes and its own. */
const name = (index: number, length: number): string => String(index).padStart(length, "0");

describe("planBlocks()", () => {
  test("ends a directory with its last name", () => {
    expect(planBlocks([".", "..", "name"])).toEqual({ starts: [0], size: 3 * 12 + 7 });
  });

  test("begins a block with the name that the last has no room for", () => {
    // 32 names of 116 bytes fill a block to the byte.
    const names = Array.from({ length: 33 }, (_, index) => name(index, 116));

    expect(planBlocks(names.slice(0, 32))).toEqual({ starts: [0], size: BLOCK });
    expect(planBlocks(names)).toEqual({ starts: [0, 32], size: BLOCK + 128 });
  });

  test("has room for fifteen of the longest names in a block", () => {
    const names = Array.from({ length: 16 }, (_, index) => name(index, 255));

    expect(planBlocks(names).starts).toEqual([0, 15]);
  });
});

describe("encodeBlock()", () => {
  test("writes numbers, types and places of names before the names", () => {
    const bytes = encodeBlock(["a", "bc"], (each) => ({ nid: each === "a" ? 2 ** 33 + 5 : 7, type: 2 }));

    expect(Buffer.from(bytes).toString("hex")).toBe(
      `0500000002000000${"1800"}0200${"0700000000000000"}${"1900"}0200${"616263"}`,
    );
  });
});
