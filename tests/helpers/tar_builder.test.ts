/** The archives of the builder, as GNU tar sees them: a wrong builder would make the tests of readers worthless. */
import { describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { buildImage, buildIndex } from "./image_builder.ts";
import { buildTar, type TarEntry } from "./tar_builder.ts";
import type { TarFormat } from "./tar_header.ts";

const LONG_NAME = `${"d/".repeat(60)}${"f".repeat(150)}`;
const SEGMENTS = [0, 1, 2, 3, 4, 5].map((index) => ({
  offset: index * 10_240,
  data: `${index}`.repeat(512),
}));

describe("buildTar()", () => {
  test.each<[string, TarEntry, string]>([
    ["a file", { name: "etc/a", data: "hi", mode: 0o4755, uid: 1000, gid: 5 }, "-rwsr-xr-x 1000/5 2 etc/a"],
    ["a directory", { name: "etc/" }, "drwxr-xr-x 0/0 0 etc/"],
    ["a symbolic link", { name: "l", type: "symlink", link: "/etc/a" }, "lrwxrwxrwx 0/0 0 l -> /etc/a"],
    ["a hard link", { name: "h", type: "hardlink", link: "etc/a" }, "hrw-r--r-- 0/0 0 h link to etc/a"],
    ["a device", { name: "null", type: "char", major: 1, minor: 3 }, "crw-r--r-- 0/0 1,3 null"],
    ["a fifo", { name: "f", type: "fifo" }, "prw-r--r-- 0/0 0 f"],
    ["a large id", { name: "big", uid: 3_000_000, gid: 2_999_999 }, "-rw-r--r-- 3000000/2999999 0 big"],
    ["a long name", { name: LONG_NAME }, `-rw-r--r-- 0/0 0 ${LONG_NAME}`],
  ])("writes %s in PAX and GNU format", (_, entry, expected) => {
    const formats: readonly TarFormat[] = ["pax", "gnu"];

    const listings = formats.map((format) => listingOf(buildTar([entry], { format })));

    expect(listings).toEqual([[expected], [expected]]);
  });

  test("splits a name for ustar and refuses one that does not fit", () => {
    const name = `${"p".repeat(120)}/${"n".repeat(90)}`;

    expect(listingOf(buildTar([{ name }], { format: "ustar" }))).toEqual([`-rw-r--r-- 0/0 0 ${name}`]);
    expect(() => buildTar([{ name: "x".repeat(101) }], { format: "ustar" })).toThrow(RangeError);
    expect(() => buildTar([{ name }], { format: "v7" })).toThrow(RangeError);
  });

  test("keeps nanoseconds", () => {
    const archive = buildTar([{ name: "t", mtime: "1234567890.123456789" }]);

    expect(tar(["-tv", "--full-time"], archive)).toContain("2009-02-13 23:31:30.123456789 t");
  });

  test.each(["gnu", "pax-0.0", "pax-0.1", "pax-1.0"] as const)(
    "writes sparse files in the form %s",
    (form) => {
      const directory = mkdtempSync(`${tmpdir()}/bunker-tar-`);
      const expected = Buffer.alloc(100_000);
      for (const { offset, data } of SEGMENTS) expected.write(data, offset);

      tar(
        ["-x", "-C", directory],
        buildTar([{ name: "s", sparse: { form, realSize: 100_000, segments: SEGMENTS } }]),
      );
      const found = readFileSync(`${directory}/s`);
      rmSync(directory, { recursive: true });

      expect(found.equals(expected)).toBe(true);
    },
  );
});

describe("buildImage()", () => {
  test("gives equal digests for equal arguments", () => {
    const build = () =>
      buildIndex({ images: [buildImage({ layers: [{ entries: [{ name: "a" }] }] })] }).digest;

    expect(build()).toBe(build());
  });
});

/** Lines of `tar -tv` without the time. */
function listingOf(archive: Uint8Array): string[] {
  const lines = tar(["-tv", "--numeric-owner"], archive).trim().split("\n");
  return lines.map((line) => line.replace(/ +/g, " ").replace(/ \d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?/, ""));
}

function tar(options: readonly string[], archive: Uint8Array): string {
  const env = { ...process.env, TZ: "UTC", LC_ALL: "C" };
  const { stdout, stderr, success } = Bun.spawnSync(["tar", "-f", "-", ...options], { stdin: archive, env });
  if (!success) throw new Error(`tar failed: ${stderr}`);
  return stdout.toString();
}
