import { describe, expect, test } from "bun:test";
import { isLacking, presentOrThrow } from "../../../src/fs/absent.ts";

const LOOK_UP = { name: "statx", path: "etc/passwd" };

describe("presentOrThrow()", () => {
  test("hands on what was found", () => {
    expect(presentOrThrow("stat", LOOK_UP)).toBe("stat");
  });

  test.each([2, 18, 20, 36, 40])("takes error %d for nothing there", (errno) => {
    expect(presentOrThrow(-errno, LOOK_UP)).toBeUndefined();
  });

  test.each([
    [5, "EIO"],
    [12, "ENOMEM"],
    [24, "EMFILE"],
    [13, "EACCES"],
  ])("throws error %d: whether something is there is not known", (errno, name) => {
    expect(() => presentOrThrow(-errno, LOOK_UP)).toThrow(`statx("etc/passwd"): ${name}`);
  });
});

describe("isLacking()", () => {
  test.each([
    ["EMFILE", true],
    ["ENFILE", true],
    ["ENOMEM", true],
    ["EIO", false],
    ["ENOENT", false],
    [undefined, false],
  ])("tells what a process may run out of from what is wrong with a file: %p", (code, expected) => {
    expect(isLacking(Object.assign(new Error("refused"), { code }))).toBe(expected);
  });
});
