import { describe, expect, test } from "bun:test";
import { closestName } from "../../../../src/runtime/security/closest_name.ts";

const NAMES = ["nofile", "nproc", "memlock"];

describe("closestName()", () => {
  test.each([
    ["nofiles", "nofile"],
    ["nofle", "nofile"],
    ["mmelock", "memlock"],
  ])("corrects %s", (name, closest) => {
    expect(closestName(name, NAMES)).toBe(closest);
  });

  test.each(["", "x", "zzzzzz", "n".repeat(65)])("finds nothing near %p", (name) => {
    expect(closestName(name, NAMES)).toBeUndefined();
  });
});
