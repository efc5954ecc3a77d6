import { describe, expect, test } from "bun:test";
import { parseOptions } from "../../../../src/cli/options.ts";
import { contextOf, GLOBAL_OPTIONS } from "../../../../src/cli/runc/global_options.ts";

describe("contextOf()", () => {
  test.each([
    [["--root", "/run/x"], { root: "/run/x" }],
    [["--root=x"], { root: `${process.cwd()}/x` }],
    [["-root", "/run/x"], { root: "/run/x" }],
    [["--systemd-cgroup"], { cgroupManager: "systemd" }],
    [["--systemd-cgroup=false"], { cgroupManager: "cgroupfs" }],
    [[], { cgroupManager: "cgroupfs" }],
    [["--cgroup-manager", "disabled"], { cgroupManager: "disabled" }],
    [["--cgroup-manager=systemd"], { cgroupManager: "systemd" }],
    [["--rootless=false"], { rootless: false }],
    [["--rootless", "true"], { rootless: true }],
    [["--rootless=1"], { rootless: true }],
    [["--rootless=auto"], { rootless: process.geteuid?.() !== 0 }],
  ])("reads %p", async (words, expected) => {
    expect(await contextFrom(words)).toMatchObject(expected);
  });

  test.each([
    [["--cgroup-manager=none"], 'unknown cgroup manager "none"'],
    [["--rootless=maybe"], 'invalid value "maybe" for --rootless'],
    [["--root="], 'invalid value "" for --root'],
  ])("refuses %p", async (words, message) => {
    expect(contextFrom(words)).rejects.toThrow(message);
  });
});

describe("GLOBAL_OPTIONS", () => {
  test("are in order", () => {
    const names = GLOBAL_OPTIONS.map(({ name }) => name);

    expect(names).toEqual(names.toSorted());
  });
});

function contextFrom(words: readonly string[]): ReturnType<typeof contextOf> {
  const globals = parseOptions(words, { options: GLOBAL_OPTIONS, interspersed: false, singleDash: true });
  return contextOf(globals, () => undefined);
}
