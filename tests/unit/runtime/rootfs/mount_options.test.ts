/** What each option of a mount means, and which of two that contradict counts. */
import { describe, expect, test } from "bun:test";
import {
  MOUNT_ATTR_ATIME,
  MOUNT_ATTR_NOATIME,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  MOUNT_ATTR_STRICTATIME,
  MS_POSIXACL,
  MS_PRIVATE,
  MS_UNBINDABLE,
} from "../../../../src/linux/abi/mount.ts";
import { mountOptionNames, parseMountOptions } from "../../../../src/runtime/rootfs/mount_options.ts";

describe("parseMountOptions()", () => {
  test.each([
    [["ro", "nosuid"], MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0],
    [["ro", "rw"], 0, MOUNT_ATTR_RDONLY],
    [["rw", "ro"], MOUNT_ATTR_RDONLY, 0],
    [["noatime"], MOUNT_ATTR_NOATIME, MOUNT_ATTR_ATIME],
    [["noatime", "relatime"], 0, MOUNT_ATTR_ATIME],
    [["nodev", "dev"], 0, MOUNT_ATTR_NODEV],
    [[], 0, 0],
  ])("sets and clears attributes of the mount for %j", (options, attributes, cleared) => {
    const parsed = parseMountOptions(options);

    expect([parsed.attributes, parsed.cleared]).toEqual([attributes, cleared]);
    expect(parsed.recursive).toBeUndefined();
  });

  test.each([
    [["rro"], { set: MOUNT_ATTR_RDONLY, clear: 0 }],
    [["rro", "rrw"], { set: 0, clear: MOUNT_ATTR_RDONLY }],
    [["rrelatime"], { set: 0, clear: MOUNT_ATTR_ATIME }],
    [["rnosuid", "rnodev"], { set: MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, clear: 0 }],
  ])("keeps those for all mounts below apart for %j", (options, recursive) => {
    const parsed = parseMountOptions(options);

    expect(parsed.recursive).toEqual(recursive);
    expect(parsed.attributes).toBe(0);
  });

  test.each([
    ["private", { type: MS_PRIVATE, recursive: false }],
    ["runbindable", { type: MS_UNBINDABLE, recursive: true }],
  ])("reads the propagation %s", (option, propagation) => {
    expect(parseMountOptions([option]).propagation).toEqual(propagation);
  });

  test("splits data at commas that are neither escaped nor in quotes", () => {
    const parsed = parseMountOptions([
      "size=1m,mode=755",
      'context="a:b:c0,c1"',
      "lowerdir=/a\\,b:/c",
      "flag",
    ]);

    expect(parsed.data).toEqual([
      ["size", "1m"],
      ["mode", "755"],
      ["context", '"a:b:c0,c1"'],
      ["lowerdir", "/a\\,b:/c"],
      ["flag", undefined],
    ]);
  });

  test("tells flags of the superblock, of mount(2) and of bunker apart", () => {
    const parsed = parseMountOptions(["sync", "acl", "rbind", "tmpcopyup", "silent", "strictatime"]);

    expect(parsed.superblock).toEqual(["sync"]);
    expect(parsed.classic).toBe(MS_POSIXACL);
    expect([...parsed.actions]).toEqual(["rbind", "tmpcopyup"]);
    expect(parsed.attributes).toBe(MOUNT_ATTR_STRICTATIME);
    expect(parsed.data).toEqual([]);
  });

  test("takes no key for data that every object has", () => {
    expect(parseMountOptions(["constructor", "toString"]).data).toEqual([
      ["constructor", undefined],
      ["toString", undefined],
    ]);
  });
});

/** The names that runc 1.5 announces. */
const RUNC =
  `acl async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand noacl noatime nodev
  nodiratime noexec noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow private ratime rbind rdev
  rdiratime relatime remount rexec rnoatime rnodev rnodiratime rnoexec rnorelatime rnostrictatime rnosuid rnosymfollow ro
  rprivate rrelatime rro rrw rshared rslave rstrictatime rsuid rsymfollow runbindable rw shared silent slave strictatime
  suid symfollow sync tmpcopyup unbindable idmap ridmap`.split(/\s+/);

describe("mountOptionNames()", () => {
  test("has every name that runc has", () => {
    expect(RUNC.filter((name) => !mountOptionNames().includes(name))).toEqual([]);
  });
});
