/** Cases of the documentation of Go's path.Match. */
import { describe, expect, test } from "bun:test";
import { goPattern } from "../../../src/engine/go_pattern.ts";

describe("goPattern()", () => {
  const cases: ReadonlyArray<readonly [pattern: string, name: string, matches: boolean]> = [
    ["abc", "abc", true],
    ["*", "abc", true],
    ["*c", "abc", true],
    ["a*", "a", true],
    ["a*", "ab/c", false],
    ["a*/b", "abc/b", true],
    ["a*/b", "a/c/b", false],
    ["*/*", "a/b", true],
    ["**", "a/b", false],
    ["ab[c]", "abc", true],
    ["ab[b-d]", "abc", true],
    ["ab[e-g]", "abc", false],
    ["ab[^c]", "abc", false],
    ["ab[^e-g]", "abc", true],
    ["a[^a]b", "a/b", false],
    ["a\\*b", "a*b", true],
    ["a\\*b", "ab", false],
    ["a?b", "axb", true],
    ["a?b", "a/b", false],
    ["a???b", "aüb", false],
    ["a?b", "aüb", true],
    ["[a-ζ]*", "α", true],
    ["[\\]a]", "]", true],
    ["[\\-]", "-", true],
    ["[x\\-]", "-", true],
    ["[d-a]", "b", false],
    ["{a,b}", "a", false],
    ["!a", "b", false],
    ["a.c", "abc", false],
    ["a+", "aa", false],
  ];
  test.each(cases)("%j and %j: %p", (pattern, name, matches) => {
    expect(goPattern(pattern)(name)).toBe(matches);
  });

  test.each(["[", "[]a]", "[-]", "[x-]", "[a-b-c]", "[^", "a[", "a\\", "[a"])("refuses %j", (pattern) => {
    expect(() => goPattern(pattern)).toThrow("Cannot use pattern");
  });
});
