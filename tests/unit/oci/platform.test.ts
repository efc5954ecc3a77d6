import { describe, expect, test } from "bun:test";
import {
  choosePlatform,
  formatPlatform,
  hostPlatform,
  parsePlatform,
  platformPreferences,
} from "../../../src/oci/platform.ts";

describe("parsePlatform()", () => {
  test.each([
    ["linux/amd64", "linux/amd64"],
    ["linux/x86_64", "linux/amd64"],
    ["linux/amd64/v1", "linux/amd64"],
    ["linux/amd64/v3", "linux/amd64/v3"],
    ["linux/aarch64", "linux/arm64"],
    ["linux/arm64/v8", "linux/arm64"],
    ["linux/arm", "linux/arm/v7"],
    ["linux/arm/6", "linux/arm/v6"],
    ["linux/armhf", "linux/arm/v7"],
    ["linux/armel", "linux/arm/v6"],
    ["arm64", "linux/arm64"],
    ["i386", "linux/386"],
    ["Linux/AMD64", "linux/amd64"],
  ])("reads %p as %p", (text, normal) => {
    expect(formatPlatform(parsePlatform(text))).toBe(normal);
  });

  test.each(["", "linux/", "/amd64", "linux", "a/b/c/d", "linux/amd64/v1 ", "vax"])("rejects %p", (text) => {
    expect(() => parsePlatform(text)).toThrow(SyntaxError);
  });
});

describe("platformPreferences()", () => {
  test.each([
    ["linux/amd64", ["linux/amd64", "linux/386"]],
    ["linux/amd64/v3", ["linux/amd64/v3", "linux/amd64/v2", "linux/amd64", "linux/386"]],
    ["linux/arm/v6", ["linux/arm/v6", "linux/arm/v5"]],
    ["linux/arm64", ["linux/arm64", "linux/arm/v8", "linux/arm/v7", "linux/arm/v6", "linux/arm/v5"]],
    ["linux/riscv64", ["linux/riscv64"]],
  ])("of %p are %p", (wanted, expected) => {
    expect(platformPreferences(parsePlatform(wanted)).map(formatPlatform)).toEqual(expected);
  });

  test("lets Armv9.1 run what Armv8.6 runs, but not Armv8.7", () => {
    const names = platformPreferences(parsePlatform("linux/arm64/v9.1")).map(formatPlatform);

    expect(names.slice(0, 3)).toEqual(["linux/arm64/v9.1", "linux/arm64/v9", "linux/arm64/v8.6"]);
    expect(names).not.toContain("linux/arm64/v8.7");
  });
});

describe("choosePlatform()", () => {
  test("prefers the best match to the first", () => {
    const candidates = ["linux/arm/v5", "linux/arm/v7", "linux/arm/v6"].map(parsePlatform);

    expect(choosePlatform(parsePlatform("linux/arm/v7"), candidates)).toBe(1);
  });

  test("takes the first of equals and skips entries without a platform", () => {
    const amd64 = parsePlatform("linux/amd64");

    expect(choosePlatform(amd64, [undefined, amd64, amd64])).toBe(1);
  });

  test("finds nothing for another system", () => {
    expect(choosePlatform(parsePlatform("linux/amd64"), [parsePlatform("windows/amd64")])).toBeUndefined();
  });
});

describe("hostPlatform()", () => {
  test("is linux on what uname names", () => {
    const machine = Bun.spawnSync(["uname", "-m"]).stdout.toString().trim();

    expect(hostPlatform()).toEqual(parsePlatform(`linux/${machine}`));
  });
});
