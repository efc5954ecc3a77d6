import { describe, expect, test } from "bun:test";
import { DEPTH_MAX, scanJson } from "../../../../src/oci/bundle/json_scan.ts";

describe("scanJson()", () => {
  test.each([
    ['{"a":1,}', 1, 8, 'expected a name in double quotes, found "}"'],
    ['{\n  "a": 1\n  "b": 2\n}', 3, 3, 'expected "," or "}", found "\\""'],
    ['{"a" 1}', 1, 6, 'expected ":", found "1"'],
    ["[1, 2", 1, 6, 'expected "," or "]", found the end of the file'],
    ["", 1, 1, "expected a value, found the end of the file"],
    ["{} x", 1, 4, 'expected the end of the file, found "x"'],
    ['"abc', 1, 1, "a string begins that does not end"],
    ['"a\tb"', 1, 3, 'expected no control character in a string, found "\\t"'],
    ['"\\x"', 1, 2, 'expected an escape sequence of JSON, found "\\\\"'],
    ["01", 1, 2, 'expected the end of the file, found "1"'],
    ["[nul]", 1, 2, 'expected a value, found "n"'],
  ])("finds where %j stops being JSON", (text, line, column, message) => {
    expect(scanJson(text).fault).toEqual({ line, column, message });
  });

  test.each(['{"a": [1, -2.5e+3, "\\u00e9\\n", true, null, {}], "b": []}', " 0 ", '"\u007f\uffff"', "{}"])(
    "finds nothing wrong with %j",
    (text) => {
      expect(scanJson(text)).toEqual({ fault: undefined, duplicates: [] });
    },
  );

  test("names keys that stand twice, by what they mean and not how they are written", () => {
    const { duplicates } = scanJson('{"a": {"b": 1, "\\u0062": 2}, "c": [{"x y": 1, "x y": 2}], "d": 1}');

    expect(duplicates).toEqual(["a.b", 'c[0]["x y"]']);
  });

  test("refuses one level more than its bound", () => {
    const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);

    expect(scanJson(nested(DEPTH_MAX)).fault).toBeUndefined();
    expect(scanJson(nested(DEPTH_MAX + 1)).fault?.message).toBe("it is nested more than 256 deep");
  });
});
