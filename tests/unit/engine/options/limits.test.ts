/** Sizes, processors, processes and resource limits. */
import { describe, expect, test } from "bun:test";
import { parseBytes } from "../../../../src/engine/options/bytes.ts";
import { parseCpus } from "../../../../src/engine/options/cpus.ts";
import { parseMemory } from "../../../../src/engine/options/memory.ts";
import { parsePidsLimit } from "../../../../src/engine/options/pids_limit.ts";
import { parseUlimit } from "../../../../src/engine/options/ulimit.ts";

describe("parseBytes()", () => {
  test.each([
    ["0", 0],
    ["1024", 1024],
    ["1024b", 1024],
    ["1k", 1024],
    ["1K", 1024],
    ["1kb", 1024],
    ["1KiB", 1024],
    ["1.5m", 1_572_864],
    ["64 MiB", 67_108_864],
    ["2g", 2_147_483_648],
    ["1t", 1_099_511_627_776],
    ["0.3b", 0],
  ])("reads %j as %d bytes", (text, bytes) => {
    expect(parseBytes(text)).toBe(bytes);
  });

  test.each(["", " ", "k", "-1", "+1", "1x", "1e3", "0x10", "1 k b", "1ib", "bb", "1kk", "1,5m", "1\n", "∞"])(
    "refuses %j",
    (text) => {
      expect(() => parseBytes(text)).toThrow(SyntaxError);
    },
  );

  test("refuses what a number cannot hold exactly", () => {
    expect(() => parseBytes("9999999999999999")).toThrow(RangeError);
    expect(() => parseBytes("9000p")).toThrow(RangeError);
  });
});

describe("parseMemory()", () => {
  test("takes 512 KiB, and refuses one byte less", () => {
    expect(parseMemory("512k")).toBe(524_288);
    expect(() => parseMemory("524287")).toThrow(/the least is 512k/);
  });

  test("takes 0 for no limit", () => {
    expect(parseMemory("0")).toBeUndefined();
  });
});

describe("parseCpus()", () => {
  test.each([
    ["1", 1],
    ["1.5", 1.5],
    [".5", 0.5],
    ["2.", 2],
    ["0.01", 0.01],
    ["0", undefined],
    ["0.000", undefined],
  ])("reads %j as %p", (text, expected) => {
    expect(parseCpus(text)).toBe(expected);
  });

  test.each([
    "",
    ".",
    "-1",
    "1e3",
    "1.0000000001",
    "NaN",
    "Infinity",
    "1,5",
    "0x1",
    " 1",
    "0.009",
    "8193",
    "99999999",
  ])("refuses %j", (text) => {
    expect(() => parseCpus(text)).toThrow();
  });
});

describe("parsePidsLimit()", () => {
  test.each([
    ["1", 1],
    ["4194304", 4_194_304],
    ["0", -1],
    ["-1", -1],
  ])("reads %j as %d", (text, expected) => {
    expect(parsePidsLimit(text)).toBe(expected);
  });

  test.each(["", "-2", "1.5", "+1", "4194305", "max", "99999999999999999999"])("refuses %j", (text) => {
    expect(() => parsePidsLimit(text)).toThrow();
  });
});

describe("parseUlimit()", () => {
  test.each([
    ["nofile=1024", { name: "nofile", soft: 1024, hard: 1024 }],
    ["nofile=1024:2048", { name: "nofile", soft: 1024, hard: 2048 }],
    ["core=0:-1", { name: "core", soft: 0, hard: -1 }],
    ["memlock=-1", { name: "memlock", soft: -1, hard: -1 }],
    ["memlock=unlimited:unlimited", { name: "memlock", soft: -1, hard: -1 }],
  ])("reads %j", (text, expected) => {
    expect(parseUlimit(text)).toEqual(expected);
  });

  test.each([
    "nofile",
    "nofile=",
    "nofile=a",
    "nofile=1:",
    "nofile=1:2:3",
    "nofile=2:1",
    "nofile=-1:1",
    "nofile=-2",
    "nofile=1.5",
    "NOFILE=1",
    "constructor=1",
    "=1",
    "nofile=99999999999999999999",
  ])("refuses %j", (text) => {
    expect(() => parseUlimit(text)).toThrow();
  });
});
