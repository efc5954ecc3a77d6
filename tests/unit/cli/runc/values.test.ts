import { describe, expect, test } from "bun:test";
import { type OptionSpec, type ParsedOptions, parseOptions } from "../../../../src/cli/options.ts";
import { durationMs, preservedFds } from "../../../../src/cli/runc/values.ts";

describe("preservedFds()", () => {
  test.each([
    [[], 0],
    [["--preserve-fds", "0"], 0],
    [["--preserve-fds=3"], 3],
    [["--preserve-fds=197"], 197],
  ])("reads %j as %p", (words, count) => {
    expect(preservedFds(parsed("preserve-fds", words))).toBe(count);
  });

  test.each(["-1", "65537", "x", "1.5", "", "1e3", "99999999999999999999"])("refuses %p", (text) => {
    expect(() => preservedFds(parsed("preserve-fds", [`--preserve-fds=${text}`]))).toThrow(/^invalid value/);
  });
});

describe("durationMs()", () => {
  test.each([
    ["5s", 5000],
    ["1m5s", 65_000],
    ["100ms", 100],
    ["1.5h", 5_400_000],
    ["24h", 86_400_000],
  ])("reads %p", (text, ms) => {
    expect(durationMs(parsed("interval", ["--interval", text]), "interval")).toBe(ms);
  });

  test.each(["5", "0s", "s", "", "-1s", "1s x", "1d", "24h1ms", "5 s"])("refuses %p", (text) => {
    expect(() => durationMs(parsed("interval", [`--interval=${text}`]), "interval")).toThrow(
      /^invalid value/,
    );
  });

  test("has no value of its own", () => {
    expect(durationMs(parsed("interval", []), "interval")).toBeUndefined();
  });
});

function parsed(name: string, words: readonly string[]): ParsedOptions {
  const options: readonly OptionSpec[] = [{ name, kind: "string", help: "" }];
  return parseOptions(words, { options, interspersed: true });
}
