/** Which name was probably meant. */
import { describe, expect, test } from "bun:test";
import { editDistance, nearest } from "../../../src/cli/suggest.ts";

describe("editDistance()", () => {
  test.each([
    ["", "", 0],
    ["abc", "abc", 0],
    ["abc", "abd", 1],
    ["abc", "ab", 1],
    ["ab", "abc", 1],
    ["rnu", "run", 1],
    ["kitten", "sitting", 3],
    ["", "abc", 3],
  ])("between %j and %j is %d", (from, to, distance) => {
    expect(editDistance(from, to)).toBe(distance);
  });
});

describe("nearest()", () => {
  const names = ["network", "name", "memory", "mount", "env", "env-file"];

  test.each([
    ["netwrok", "network"],
    ["nam", "name"],
    ["memroy", "memory"],
    ["en", undefined],
    ["env-fiel", "env-file"],
    ["zzz", undefined],
    ["x", undefined],
    ["", undefined],
    ["n".repeat(10_000), undefined],
  ])("takes %j for %p", (word, expected) => {
    expect(nearest(word, names)).toBe(expected);
  });
});
