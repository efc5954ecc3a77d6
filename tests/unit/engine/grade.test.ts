import { describe, expect, test } from "bun:test";
import { type Grade, gradeOf, isolationEntries } from "../../../src/engine/grade.ts";
import type { ProbeResults } from "../../../src/engine/probe.ts";

const everything: ProbeResults = {
  namespaces: undefined,
  mounts: undefined,
  overlay: undefined,
  tmpfs: undefined,
  overlayOnTmpfs: undefined,
  appendLayers: undefined,
  proc: undefined,
  sysfs: undefined,
  mknod: undefined,
  pivotRoot: undefined,
  moveRoot: undefined,
  chroot: undefined,
  userNamespaces: undefined,
};

describe("gradeOf()", () => {
  const cases: ReadonlyArray<
    readonly [title: string, refused: Partial<ProbeResults>, grade: string, reason: string | undefined]
  > = [
    ["is full without a reason when nothing is refused", {}, "full", undefined],
    [
      "is full where sysfs and device nodes are the host's",
      { sysfs: "EPERM", mknod: "EPERM" },
      "full",
      undefined,
    ],
    ["is nested without pivot_root", { pivotRoot: "EPERM" }, "nested", "refused here: pivot_root(2): EPERM"],
    [
      "is nested where the upper layer cannot be on the disk",
      { overlay: "EINVAL" },
      "nested",
      "refused here: overlayfs on the data directory's filesystem: EINVAL",
    ],
    ["is nested without a /proc", { proc: "EPERM" }, "nested", "refused here: a new /proc: EPERM"],
    [
      "is minimal without mounts",
      { mounts: "EACCES", overlay: "EACCES" },
      "minimal",
      "refused here: mount(2): EACCES",
    ],
    [
      "is none without mounts and chroot",
      { mounts: "EACCES", chroot: "EPERM" },
      "none",
      "refused here: mount(2): EACCES, chroot(2): EPERM",
    ],
    [
      "is none without namespaces",
      { namespaces: "clone3: EPERM" },
      "none",
      "refused here: namespaces: clone3: EPERM",
    ],
  ];
  test.each(cases)("%s", (_, refused, grade, reason) => {
    expect(gradeOf({ ...everything, ...refused })).toEqual({ grade: grade as Grade, reason });
  });
});

describe("isolationEntries()", () => {
  test("says for each thing what takes its place, and why", () => {
    const entries = isolationEntries({
      ...everything,
      overlay: "EINVAL",
      overlayOnTmpfs: "EINVAL",
      pivotRoot: "EPERM",
      sysfs: "EPERM",
    });

    expect(entries.slice(1)).toEqual([
      {
        name: "root filesystem",
        value: "copy of the layers",
        reason: "overlayfs: EINVAL, on a tmpfs: EINVAL",
      },
      { name: "root is entered by", value: "mount --move and chroot", reason: "pivot_root: EPERM" },
      { name: "proc", value: "own" },
      { name: "sysfs", value: "the host's, read-only", reason: "EPERM" },
      { name: "device nodes", value: "own" },
      { name: "user namespaces", value: "own" },
    ]);
  });
});
