import { describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { TarReader } from "../../../../src/image/tar/reader.ts";
import { buildTar, type TarEntry } from "../../../helpers/tar_builder.ts";
import {
  bytesOf,
  concatBytes,
  encodeHeader,
  encodeNumber,
  encodePaxRecords,
  metaEntry,
  type PaxRecord,
  paddedToBlock,
  writeChecksum,
} from "../../../helpers/tar_header.ts";
import { listTar } from "../../../helpers/tar_listing.ts";

const formats = ["v7", "ustar", "gnu", "pax"] as const;
const refused = (message: RegExp): object =>
  expect.objectContaining({ code: "ARCHIVE_INVALID", message: expect.stringMatching(message) });

/** One entry of each kind, with names and numbers that need more than a plain header. */
const rich: readonly TarEntry[] = [
  { name: "dir/", mode: 0o1777, uid: 3_000_000, gid: 4_000_000 },
  { name: `long/${"x".repeat(300)}`, data: "y".repeat(1500), mtime: 5_000_000_000 },
  { name: "link", type: "symlink", link: "z".repeat(300) },
  { name: Buffer.from("bin\xff\xfe", "latin1"), data: "b" },
  { name: "hard", type: "hardlink", link: "dir/x" },
  { name: "null", type: "char", major: 1, minor: 3 },
  { name: "pipe", type: "fifo" },
  { name: "empty" },
];

/** A sparse file in GNU's own form; `numbers` are offsets and lengths in turn, of which the archive holds the sum. */
function gnuMap(realSize: number, numbers: readonly number[]): Uint8Array {
  const size = numbers.reduce((sum, number, at) => (at % 2 === 0 ? sum : sum + number), 0);
  const header = encodeHeader({
    format: "gnu",
    name: "f",
    type: "S",
    size,
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: 0,
  });
  for (const [at, number] of numbers.entries()) header.set(encodeNumber(number, 12), 386 + at * 12);
  header.set(encodeNumber(realSize, 12), 483);
  writeChecksum(header);
  return concatBytes([header, ...paddedToBlock(bytesOf("x".repeat(size))), new Uint8Array(1024)]);
}

const paxEntry = (...records: readonly PaxRecord[]): Uint8Array[] =>
  metaEntry("x", "x", encodePaxRecords(records));

describe("TarReader", () => {
  test.each(formats)("reads files, directories, links and devices of format %s", (format) => {
    const archive = buildTar(
      [
        { name: "d/", type: format === "v7" ? "file" : "dir", mode: 0o700, uid: 1, gid: 2, mtime: 77 },
        { name: "d/f", data: "content", mode: 0o4755 },
        { name: "s", type: "symlink", link: "d/f" },
        { name: "h", type: "hardlink", link: "d/f" },
      ],
      { format },
    );

    const entries = listTar(archive);

    expect(entries.map(({ type, path, linkPath, data }) => [type, path, linkPath, data])).toEqual([
      ["directory", "d/", "", ""],
      ["file", "d/f", "", "content"],
      ["symlink", "s", "d/f", ""],
      ["link", "h", "d/f", ""],
    ]);
    expect(entries[0]).toMatchObject({ mode: 0o700, uid: 1, gid: 2, mtime: { seconds: 77, nanoseconds: 0 } });
    expect(entries[1]?.mode).toBe(0o4755);
  });

  test.each(["gnu", "pax"] as const)(
    "reads long and binary names and large numbers of format %s",
    (format) => {
      const [dir, long, link, binary] = listTar(buildTar(rich, { format }));

      expect(dir).toMatchObject({ uid: 3_000_000, gid: 4_000_000 });
      expect(long?.path).toBe(`long/${"x".repeat(300)}`);
      expect(long?.mtime.seconds).toBe(5_000_000_000);
      expect(link?.linkPath).toBe("z".repeat(300));
      expect(binary?.path).toBe("bin\xff\xfe");
    },
  );

  test.each([1, 7, 511, 512, 513, 4096])("reads the same in pieces of %d bytes", (pieceSize) => {
    const segments = Array.from({ length: 30 }, (_, index) => ({
      offset: index * 1000,
      data: `at ${index}`,
    }));
    const sparse = (["gnu", "pax-0.0", "pax-0.1", "pax-1.0"] as const).map((form): TarEntry => {
      return { name: form, sparse: { form, realSize: 40_000, segments } };
    });
    const archive = buildTar([...rich, ...sparse]);

    const entries = listTar(archive, pieceSize);

    expect(entries).toEqual(listTar(archive));
    expect(new Set(entries.slice(-4).map(({ data }) => data)).size).toBe(1);
    expect(entries.at(-1)?.data.slice(29_000, 29_005)).toBe("at 29");
  });

  test.skipIf(Bun.which("tar") === null).each(["v7", "ustar", "gnu", "posix"])(
    "lists what GNU tar lists, for its own archive of format %s",
    async (format) => {
      const directory = mkdtempSync(`${tmpdir()}/bunker-tar-`);
      const script = "mkdir -p a/b; echo hello > a/b/file; ln -s b/file a/link; ln a/b/file a/hard";
      await Bun.$`sh -c ${script}; tar cf archive --format=${format} --sort=name a`.cwd(directory);
      const listing = await Bun.$`tar tvf archive --numeric-owner`.cwd(directory).text();
      const archive = readFileSync(`${directory}/archive`);
      rmSync(directory, { recursive: true });

      const entries = listTar(archive);

      const line = /^\S+ +\S+ +(?<size>\d+) \S+ \S+ (?<path>\S+)/;
      const listed = listing
        .trim()
        .split("\n")
        .map((text) => line.exec(text)?.groups);
      const expected = listed.map((groups) => [groups?.["path"], Number(groups?.["size"])]);
      expect(entries.map(({ path, size }): unknown[] => [path, size])).toEqual(expected);
    },
  );

  test("takes a magic that is not whole for none, as GNU tar and Go do", () => {
    const header = { mode: 0o644, uid: 0, gid: 0, size: 0, mtime: 0, type: "0", name: "f", prefix: "p" };
    const blocks = ["ustar\u000000", "ustar 00", "ustarX00"].map((magic) =>
      encodeHeader({ format: "ustar", ...header, magic }),
    );

    const entries = listTar(concatBytes(blocks));

    expect(entries.map(({ path }) => path)).toEqual(["p/f", "f", "f"]);
  });

  test("takes the rest of the input after the end of the archive", () => {
    const archive = buildTar([{ name: "a" }]);

    const entries = listTar(concatBytes([archive, archive]));

    expect(entries).toHaveLength(1);
  });

  test("takes an archive without an end marker, and an empty one", () => {
    expect(listTar(buildTar([{ name: "a", data: "x" }], { endMarker: false }))).toHaveLength(1);
    expect(listTar(new Uint8Array(0))).toEqual([]);
  });

  test("keeps line feeds and NULs in values of attributes as data", () => {
    const value = "x\n20 path=SMUGGLED\n\0";

    const [entry] = listTar(buildTar([{ name: "honest", xattrs: { "user.x": value } }]));

    expect(entry?.path).toBe("honest");
    expect(entry?.xattrs.get("user.x")).toBe(value);
  });

  test("reads attributes in libarchive's form where the other is missing", () => {
    const pax: readonly PaxRecord[] = [
      ["LIBARCHIVE.xattr.user.one%3D", btoa("\x00\xff")],
      ["SCHILY.xattr.user.two", "right"],
      ["LIBARCHIVE.xattr.user.two", btoa("wrong")],
    ];

    const [entry] = listTar(buildTar([{ name: "f", pax }]));

    expect([...(entry?.xattrs ?? [])]).toEqual([
      ["user.one=", "\x00\xff"],
      ["user.two", "right"],
    ]);
  });

  test("applies a PAX header to the next entry only, not to a long name between them", () => {
    const size = metaEntry("x", "pax", encodePaxRecords([["size", "3"]]));
    const name = metaEntry("L", "././@LongLink", Buffer.from(`${"n".repeat(150)}\0`), "gnu");
    const file = encodeHeader({ format: "gnu", name: "short", type: "0", size: 0 });
    const archive = concatBytes([
      ...size,
      ...name,
      file,
      Buffer.from("abc".padEnd(512, "\0")),
      buildTar([{ name: "next" }]),
    ]);

    const entries = listTar(archive);

    expect(entries.map(({ path, data }) => [path, data])).toEqual([
      ["n".repeat(150), "abc"],
      ["next", ""],
    ]);
  });

  test("ignores what a global PAX header says", () => {
    const global: TarEntry = { name: "g", type: "g", data: encodePaxRecords([["path", "WRONG"]]) };

    expect(listTar(buildTar([global, { name: "right" }])).map(({ path }) => path)).toEqual(["right"]);
  });

  test("rounds negative times down to nanoseconds", () => {
    const [entry] = listTar(buildTar([{ name: "f", mtime: "-1.25" }]));

    expect(entry?.mtime).toEqual({ seconds: -2, nanoseconds: 750_000_000 });
  });

  test.each([
    ["unsigned", Uint8Array],
    ["signed", Int8Array],
  ])("accepts a checksum of %s characters", (_, Characters) => {
    const archive = buildTar([{ name: "s", type: "symlink", link: "t" }]);
    archive.fill(0xff, 0, 100).fill(0xff, 157, 257).fill(0xff, 265, 329).fill(0x20, 148, 156);
    const header = archive.subarray(0, 512);
    const characters: number[] = [...Characters.from(header)];
    writeChecksum(
      header,
      characters.reduce((sum, character) => sum + character),
    );

    const [entry] = listTar(archive);

    expect(entry?.path).toBe("\xff".repeat(100));
  });

  const pax = (...records: PaxRecord[]): TarEntry => ({ name: "f", data: "x", pax: records });
  const damaged: ReadonlyArray<readonly [string, Uint8Array, RegExp]> = [
    ["a wrong checksum", buildTar([{ name: "f", checksum: 1 }]), /checksum/],
    ["data that is cut short", buildTar([{ name: "f", data: "x".repeat(600) }]).slice(0, 1100), /cut short/],
    ["a header that is cut short", buildTar([{ name: "f" }]).slice(0, 300), /cut short/],
    [
      "a header after one block of zeros",
      concatBytes([new Uint8Array(512), buildTar([{ name: "f" }])]),
      /zeros/,
    ],
    ["a PAX header at the end", buildTar([{ name: "p", type: "x", data: "10 path=a\n" }]), /no entry/],
    ["an unknown type", buildTar([{ name: "v", type: "V" }]), /unsupported type "V"/],
    ["an empty name", buildTar([{ name: "" }]), /empty/],
    ["a NUL in a PAX name", buildTar([pax(["path", "a\0b"])]), /NUL/],
    ["a name beyond PATH_MAX", buildTar([{ name: "n".repeat(5000) }]), /5000 bytes/],
    ["a negative size", buildTar([{ name: "f", size: -512, format: "gnu" }]), /negative/],
    ["a negative PAX size", buildTar([pax(["size", "-1"])]), /"size"/],
    ["a size that is no number", buildTar([pax(["size", "1e3"])]), /"size"/],
    ["an owner beyond 32 bits", buildTar([pax(["uid", "4294967295"])]), /uid 4294967295/],
    [
      "a PAX record of wrong length",
      buildTar([{ name: "p", type: "x", data: "99 path=a\n" }]),
      /wrong length/,
    ],
    ["a PAX record without a key", buildTar([{ name: "p", type: "x", data: "5 =a\n" }]), /without a key/],
    ["a PAX record without a length", buildTar([{ name: "p", type: "x", data: "path=a\n" }]), /wrong length/],
    [
      "an attribute that is too long",
      buildTar([{ name: "f", xattrs: { "user.x": "x".repeat(70_000) } }]),
      /attribute/,
    ],
    [
      "a huge PAX header",
      encodeHeader({ format: "pax", name: "p", type: "x", size: 2 ** 30 }),
      /1073741824 bytes/,
    ],
    [
      "a huge long name",
      encodeHeader({ format: "gnu", name: "L", type: "L", size: 2 ** 30 }),
      /1073741824 bytes/,
    ],
  ];
  const twice: ReadonlyArray<readonly [string, Uint8Array, RegExp]> = [
    [
      "two extended headers for one entry",
      concatBytes([...paxEntry(["path", "a"]), ...paxEntry(["path", "b"]), buildTar([{ name: "f" }])]),
      /two extended headers/,
    ],
    [
      "two names for one entry",
      concatBytes([
        ...metaEntry("L", "L", bytesOf("a\0"), "gnu"),
        ...paxEntry(["path", "b"]),
        buildTar([{ name: "f" }]),
      ]),
      /two different names/,
    ],
    [
      "a size in the extended header of a hard link",
      concatBytes([...paxEntry(["size", "512"]), buildTar([{ name: "f", type: "hardlink", link: "g" }])]),
      /without content has a size/,
    ],
    [
      "a contiguous file whose name ends in a slash",
      buildTar([{ name: "f/", type: "contiguous" }]),
      /ends in a slash/,
    ],
    [
      "GNU's sparse type in another format",
      concatBytes([encodeHeader({ format: "ustar", name: "f", type: "S", size: 0 })]),
      /another format than GNU's/,
    ],
  ];
  test.each(twice)("refuses %s, of which other readers make different things", (_, archive, message) => {
    expect(() => listTar(archive)).toThrow(refused(message));
  });

  test("names the entry of which an error speaks, by its long name too, and the place", () => {
    const good = buildTar([{ name: "a", data: "x" }], { endMarker: false });
    const bad = buildTar([{ name: `long/${"n".repeat(200)}`, pax: [["uid", "-1"]] }]);

    expect(() => listTar(concatBytes([good, bad]))).toThrow(
      refused(/"uid" of an extended header is not a number in range \(entry "long\/n+…?"…?, byte 2\d{3}\)$/),
    );
  });

  test.each(damaged)("refuses %s", (_, archive, message) => {
    expect(() => listTar(archive)).toThrow(refused(message));
  });

  const map = (...records: PaxRecord[]): Uint8Array => buildTar([{ name: "f", data: "xx", pax: records }]);
  const sparseMaps: ReadonlyArray<readonly [string, Uint8Array, RegExp]> = [
    [
      "that overlaps",
      map(["GNU.sparse.size", "9"], ["GNU.sparse.numblocks", "2"], ["GNU.sparse.map", "1,1,1,1"]),
      /overlaps/,
    ],
    [
      "that passes the end",
      map(["GNU.sparse.size", "9"], ["GNU.sparse.numblocks", "1"], ["GNU.sparse.map", "8,2"]),
      /passes the end/,
    ],
    [
      "with more than is stored",
      map(["GNU.sparse.size", "9"], ["GNU.sparse.numblocks", "1"], ["GNU.sparse.map", "0,9"]),
      /holds 9 bytes/,
    ],
    [
      "of another count than it says",
      map(["GNU.sparse.size", "9"], ["GNU.sparse.numblocks", "2"], ["GNU.sparse.map", "0,2"]),
      /another length/,
    ],
    ["of which only the size is there", map(["GNU.sparse.realsize", "9"]), /has no map/],
    ["of an odd count", map(["GNU.sparse.size", "9"], ["GNU.sparse.map", "0,2,4"]), /cut short/],
    ["without a size", map(["GNU.sparse.map", "0,2"]), /no size/],
    ["of an unknown version", map(["GNU.sparse.size", "9"], ["GNU.sparse.major", "2"]), /unknown format/],
    ["out of order", map(["GNU.sparse.size", "9"], ["GNU.sparse.numbytes", "2"]), /out of order/],
    ["that goes back by a negative length", gnuMap(15, [10, -5, 5, 10]), /negative length/],
    ["that begins in front of its file", gnuMap(15, [-5, 5]), /overlaps/],
    ["of a file whose size is negative", gnuMap(-5, []), /is negative/],
  ];
  test.each(sparseMaps)("refuses a sparse map %s", (_, archive, message) => {
    expect(() => listTar(archive)).toThrow(refused(message));
  });

  test("refuses a sparse map in the data that never ends", () => {
    const records: PaxRecord[] = [
      ["GNU.sparse.major", "1"],
      ["GNU.sparse.minor", "0"],
      ["GNU.sparse.realsize", "9"],
    ];
    const archive = buildTar([{ name: "f", data: "1".repeat(2_000_000), pax: records }]);

    expect(() => listTar(archive)).toThrow(refused(/sparse map is too long|not a number/));
  });

  test("looks once at each block of a sparse map", () => {
    const count = 200_000;
    const records: PaxRecord[] = [
      ["GNU.sparse.major", "1"],
      ["GNU.sparse.minor", "0"],
      ["GNU.sparse.realsize", "9"],
    ];
    const text = `${count}\n${"0\n".repeat(2 * count)}`;
    const data = text.padEnd(Math.ceil(text.length / 512) * 512, "\0");
    const entries = Array.from({ length: 10 }, (_, at): TarEntry => ({ name: `${at}`, data, pax: records }));

    // Minutes for each of them when every block is read again with the next.
    expect(listTar(buildTar(entries)).map(({ size }) => size)).toEqual(Array(10).fill(9));
  });

  test("does not go on after what its handler throws", () => {
    const reader = new TarReader({
      onEntry: () => {
        throw new Error("mine");
      },
      onData: () => undefined,
      onEntryEnd: () => undefined,
    });

    expect(() => reader.push(buildTar([{ name: "f" }]))).toThrow("mine");
  });
});
