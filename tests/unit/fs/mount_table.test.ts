import { describe, expect, test } from "bun:test";
import { parseMounts, readMounts } from "../../../src/fs/mount_table.ts";

describe("parseMounts()", () => {
  test("reads paths with blanks, line feeds and backslashes, and optional fields", () => {
    const text = [
      "36 35 98:0 /mnt1 /mnt\\0402\\012x\\134y rw,noatime shared:1 master:2 - ext4 /dev/root\\040x rw,errors=continue",
      "37 35 0:44 / /run/a ro - overlay bunker-image-0123456789ab ro,lowerdir+=/a",
      "",
      "no mount at all",
    ].join("\n");

    expect(parseMounts(text)).toEqual([
      { target: "/mnt 2\nx\\y", type: "ext4", source: "/dev/root x" },
      { target: "/run/a", type: "overlay", source: "bunker-image-0123456789ab" },
    ]);
  });
});

describe("readMounts()", () => {
  test("lists /proc among the mounts of this process", () => {
    expect(readMounts()).toContainEqual(expect.objectContaining({ target: "/proc", type: "proc" }));
  });
});
