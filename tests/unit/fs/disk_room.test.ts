import { describe, expect, test } from "bun:test";
import { statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { type DiskRoom, describeFull, diskRoom, type OwnerQuota } from "../../../src/fs/disk_room.ts";
import { parseQuota } from "../../../src/linux/file_system.ts";

const MIB = 1 << 20;
const room: DiskRoom = {
  totalBytes: 100 * MIB,
  availableBytes: 50 * MIB,
  totalInodes: 1000,
  freeInodes: 500,
  quotas: [],
};
const quota: OwnerQuota = {
  kind: "user",
  id: 1000,
  limitBytes: 10 * MIB,
  usedBytes: 5 * MIB,
  limitInodes: 100,
  usedInodes: 50,
};

describe("diskRoom()", () => {
  test("tells what the file system tells", () => {
    const found = diskRoom(tmpdir());
    const expected = statfsSync(tmpdir());

    expect(found).toMatchObject({
      totalBytes: expected.blocks * expected.bsize,
      totalInodes: expected.files,
    });
  });

  test("is undefined where there is no directory", () => {
    expect(diskRoom("/does/not/exist")).toBeUndefined();
  });
});

describe("describeFull()", () => {
  const cases: ReadonlyArray<readonly [room: DiskRoom | undefined, text: string]> = [
    [undefined, "the disk is full"],
    [{ ...room, availableBytes: 0 }, "the disk is full"],
    [{ ...room, freeInodes: 0 }, "no inodes are left"],
    [{ ...room, totalInodes: 0, freeInodes: 0 }, "the disk is full"],
    [{ ...room, quotas: [quota] }, "the disk is full"],
    [{ ...room, quotas: [{ ...quota, usedBytes: quota.limitBytes }] }, "the quota of user 1000 is used up"],
    [{ ...room, quotas: [{ ...quota, usedInodes: 100 }] }, "the quota of user 1000 is used up"],
    [
      { ...room, quotas: [quota, { ...quota, kind: "project", id: 7, usedBytes: 10 * MIB - 1 }] },
      "the quota of project 7 is used up",
    ],
    [{ ...room, quotas: [{ ...quota, limitBytes: 0, limitInodes: 0 }] }, "the disk is full"],
  ];
  test.each(cases)("of %j is %s", (each, text) => {
    expect(describeFull(each)).toBe(text);
  });
});

describe("parseQuota()", () => {
  test("reads a struct if_dqblk, whose limit of space is in KiB", () => {
    const words = BigUint64Array.of(2048n, 1024n, 4096n, 50n, 40n, 7n, 0n, 0n, 0n);

    expect(parseQuota(new Uint8Array(words.buffer))).toEqual({
      limitBytes: 2048 * 1024,
      usedBytes: 4096,
      limitInodes: 50,
      usedInodes: 7,
    });
  });
});
