import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import type { EntryType } from "../../../../src/image/tar/entry.ts";
import { END, header, padding, type WrittenEntry } from "../../../../src/image/tar/writer.ts";
import { testIf } from "../../../helpers/requires.ts";
import { listTar } from "../../../helpers/tar_listing.ts";

/** An entry with what is not given by `fields` at its plainest. */
function entryOf(fields: Partial<WrittenEntry> & { readonly path: string }): WrittenEntry {
  return {
    type: "file",
    linkPath: "",
    size: 0,
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: { seconds: 1_700_000_000, nanoseconds: 0 },
    major: 0,
    minor: 0,
    xattrs: new Map(),
    ...fields,
  };
}

interface WithData {
  readonly entry: WrittenEntry;
  readonly data: string;
}

function archiveOf(entries: readonly WithData[], nanoseconds = false): Buffer {
  const parts = entries.flatMap(({ entry, data }) => [
    header(entry, { nanoseconds }),
    Buffer.from(data, "latin1"),
    padding(data.length),
  ]);
  return Buffer.concat([...parts, END]);
}

const only = (entry: WrittenEntry, nanoseconds = false) =>
  listTar(archiveOf([{ entry, data: "" }], nanoseconds))[0];

const latin1 = (text: string): string => Buffer.from(text).toString("latin1");

/** Title and name. */
const titled = (name: string): [string, string] => [
  name.length < 25 ? JSON.stringify(name) : `${name.length} bytes, the last "/" at ${name.lastIndexOf("/")}`,
  name,
];

/** Names around the limits of a header's two fields, and beyond ASCII. */
const names = [
  "a",
  "n".repeat(100),
  "n".repeat(101),
  `${"p".repeat(155)}/${"n".repeat(100)}`,
  `${"p".repeat(156)}/${"n".repeat(100)}`,
  `${"p".repeat(155)}/${"n".repeat(101)}`,
  `${"d/".repeat(127)}n`,
  `${"d/".repeat(1500)}n`,
  `${"p".repeat(150)}/${"q".repeat(90)}/r`,
  latin1("größe/naïve"),
  "latin\xe4\xff",
  " leading and trailing ",
  "line\nfeed",
];

describe("header()", () => {
  test.each(names.map(titled))("writes a name that the reader reads back: %s", (_, path) => {
    const entry = only(entryOf({ path }));
    const directory = only(entryOf({ path, type: "directory" }));

    expect(entry).toMatchObject({ path, type: "file" });
    expect(directory).toMatchObject({ path: `${path}/`, type: "directory" });
  });

  test.each(names.map(titled))("writes a link's target likewise: %s", (_, linkPath) => {
    const symlink = only(entryOf({ path: "s", type: "symlink", linkPath }));
    const link = only(entryOf({ path: "h", type: "link", linkPath }));

    expect([symlink?.linkPath, link?.linkPath]).toEqual([linkPath, linkPath]);
  });

  test("writes numbers beyond the fields of ustar", () => {
    const ids = only(entryOf({ path: "f", uid: 0o10000000, gid: 0xfffffffe }));
    const past = only(entryOf({ path: "f", mtime: { seconds: -1, nanoseconds: 0 } }));
    const future = only(entryOf({ path: "f", mtime: { seconds: 2 ** 34, nanoseconds: 0 } }));
    const large = header(entryOf({ path: "f", size: 2 ** 33 })).toString("latin1");

    expect(ids).toMatchObject({ uid: 0o10000000, gid: 0xfffffffe });
    expect([past?.mtime.seconds, future?.mtime.seconds]).toEqual([-1, 2 ** 34]);
    expect(large).toContain("19 size=8589934592\n");
  });

  test.each([
    { seconds: 5, nanoseconds: 1 },
    { seconds: 0, nanoseconds: 500_000_000 },
    { seconds: -2, nanoseconds: 500_000_000 },
    { seconds: -1, nanoseconds: 999_999_999 },
  ])("keeps nanoseconds of %j only when asked to", (mtime) => {
    expect(only(entryOf({ path: "f", mtime }), true)?.mtime).toEqual(mtime);
    expect(only(entryOf({ path: "f", mtime }))?.mtime).toEqual({ ...mtime, nanoseconds: 0 });
  });

  test("writes attributes as they are, in the order of their names", () => {
    const value = "\0\xff\n20 path=smuggled\n=";
    const forward = new Map([
      ["user.b", value],
      ["security.capability", "\x01\0\0\x02"],
      ["user.with=sign", "x"],
    ]);
    const backward = new Map([...forward].reverse());

    const entry = only(entryOf({ path: "f", xattrs: forward }));

    expect(new Map(entry?.xattrs)).toEqual(forward);
    expect(entry?.path).toBe("f");
    expect(header(entryOf({ path: "f", xattrs: backward }))).toEqual(
      header(entryOf({ path: "f", xattrs: forward })),
    );
  });

  test("takes one block where ustar suffices", () => {
    expect(header(entryOf({ path: `${"p".repeat(155)}/${"n".repeat(100)}` })).length).toBe(512);
    expect(header(entryOf({ path: "s", type: "symlink", linkPath: "n".repeat(100) })).length).toBe(512);
  });

  test("says that names are no text only where they are none", () => {
    expect(header(entryOf({ path: "\xff" })).toString("latin1")).toContain("21 hdrcharset=BINARY\n");
    expect(header(entryOf({ path: latin1("ö") })).toString("latin1")).not.toContain("hdrcharset");
  });

  test("refuses what no reader would take", () => {
    const xattrs = new Map(Array.from({ length: 17 }, (_, at) => [`user.${at}`, "x".repeat(65_536)]));

    expect(() => header(entryOf({ path: "a\0b" }))).toThrow("a path is empty or holds a NUL");
    expect(() => header(entryOf({ path: "" }))).toThrow("a path is empty or holds a NUL");
    expect(() => header(entryOf({ path: "x".repeat(4096) }))).toThrow("a path has more than 4095 bytes");
    expect(only(entryOf({ path: "x".repeat(4095) }))?.path.length).toBe(4095);
    expect(() => header(entryOf({ path: "f", xattrs }))).toThrow(/the attributes of an entry have \d+ bytes/);
    expect(() => header(entryOf({ path: "f", type: "char", major: 2 ** 21 }))).toThrow("too large");
  });

  test("writes a record whose length has one digit more because of itself", () => {
    for (let length = 80; length < 110; length += 1) {
      const linkPath = "\xc3\xb6".repeat(length / 2) + "x".repeat(length % 2);
      expect(only(entryOf({ path: "s", type: "symlink", linkPath }))?.linkPath).toBe(linkPath);
    }
  });
});

/** One of every type, with what each can have. */
const types: readonly [EntryType, Partial<WrittenEntry>, string][] = [
  ["directory", { mode: 0o1777 }, ""],
  ["file", { mode: 0o4755, uid: 3_000_000, size: 700 }, "d".repeat(700)],
  ["symlink", { linkPath: latin1("ä/../b") }, ""],
  ["link", { linkPath: "f/file" }, ""],
  ["char", { major: 1, minor: 3 }, ""],
  ["block", { major: 259, minor: 1_048_575 }, ""],
  ["fifo", { mode: 0o600 }, ""],
];
const everyType = types.map(([type, fields, data]) => ({
  entry: entryOf({ path: `f/${type}`, type, ...fields }),
  data,
}));
const everyName = names.map((path, at) => ({
  entry: entryOf({ path: `${at}/${path}`, size: 3 }),
  data: "abc",
}));

/** Runs a script with an archive as a file. @returns stdout, as bytes */
async function withArchive(archive: Buffer, script: (file: string) => readonly string[]): Promise<string> {
  const directory = mkdtempSync(`${tmpdir()}/bunker-writer-`);
  try {
    writeFileSync(`${directory}/a.tar`, archive);
    const { stdout } = await Bun.$`${script(`${directory}/a.tar`)}`
      .env({ ...process.env, LC_ALL: "C" })
      .quiet();
    return stdout.toString("latin1");
  } finally {
    rmSync(directory, { recursive: true });
  }
}

describe("an archive of the writer", () => {
  test("is what the reader reads, whatever the portions", () => {
    const archive = archiveOf([...everyType, ...everyName]);

    const entries = listTar(archive, 37);

    expect(entries.map(({ path, type, data }) => [path.replace(/\/$/, ""), type, data])).toEqual(
      [...everyType, ...everyName].map(({ entry, data }) => [entry.path, entry.type, data]),
    );
    expect(archive.length % 512).toBe(0);
  });

  testIf(["program tar"], "is listed by GNU tar, byte by byte", async () => {
    const listing = await withArchive(archiveOf([...everyType, ...everyName]), (file) => [
      ...["tar", "--numeric-owner", "--quoting-style=literal", "--null", "-tvf", file],
    ]);

    for (const path of names) expect(listing).toContain(`/${path}\n`);
    expect(listing).toContain("-rwsr-xr-x 3000000/0");
    expect(listing).toContain("259,1048575");
  });

  testIf(["program tar"], "gives GNU tar the attributes", async () => {
    const xattrs = new Map([["user.raw", "a\0b\nc"]]);
    const listing = await withArchive(
      archiveOf([{ entry: entryOf({ path: "f", xattrs }), data: "" }]),
      (file) => [...["tar", "--xattrs", "--xattrs-include=*", "-tvvf", file]],
    );

    expect(listing).toContain("x: 5 user.raw");
  });

  testIf(["program python3"], "is read by Python's tarfile, byte by byte", async () => {
    const script = [
      "import os, sys, tarfile",
      "for m in tarfile.open(sys.argv[1], 'r:', encoding='utf-8', errors='surrogateescape'):",
      "  n = [os.fsencode(x).hex() for x in (m.name, m.linkname)]",
      "  print(m.type.decode(), *n, m.size, m.uid, m.devmajor, m.devminor, oct(m.mode), m.mtime)",
    ].join("\n");

    const output = await withArchive(archiveOf([...everyType, ...everyName]), (file) => [
      ...["env", "PYTHONUTF8=1", "python3", "-c", script, file],
    ]);

    const hex = (text: string): string => Buffer.from(text, "latin1").toString("hex");
    const flags: Record<string, string> = {
      file: "0",
      link: "1",
      symlink: "2",
      char: "3",
      block: "4",
      directory: "5",
    };
    expect(output.trimEnd().split("\n")).toEqual(
      [...everyType, ...everyName].map(({ entry }) => {
        const { path, linkPath, type, size, uid, major, minor, mode, mtime } = entry;
        const device = type === "char" || type === "block";
        const numbers = [
          size,
          uid,
          device ? major : 0,
          device ? minor : 0,
          `0o${mode.toString(8)}`,
          mtime.seconds,
        ];
        return [flags[type] ?? "6", hex(path), hex(linkPath), ...numbers].join(" ");
      }),
    );
  });
});

describe("random entries", () => {
  /** Numbers that the seed decides: a linear congruential generator. */
  const chanceOf = (seed: number) => {
    let state = seed;
    return (below: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
  };
  const SEED = Number(process.env["BUNKER_TEST_SEED"] ?? 20_261_126);
  const COUNT = 3000;

  test(`are read as they were written (BUNKER_TEST_SEED=${SEED})`, () => {
    const chance = chanceOf(SEED);
    const bytes = (length: number): string =>
      Array.from({ length }, () => String.fromCharCode(1 + chance(chance(2) === 0 ? 126 : 255))).join("");
    const name = (): string => bytes(1 + chance(chance(4) === 0 ? 300 : 40)).replace(/\/+$/, "x");
    const types: EntryType[] = ["file", "directory", "symlink", "link", "char", "block", "fifo"];
    const written = Array.from({ length: COUNT }, (): WithData => {
      const type = types[chance(types.length)] ?? "file";
      const data = type === "file" ? bytes(chance(1500)) : "";
      const isDevice = type === "char" || type === "block";
      const xattrs = new Map(
        Array.from({ length: chance(3) }, () => [`user.${bytes(3)}`, bytes(chance(50))]),
      );
      const fields = {
        path: type === "directory" ? `${name()}/` : name(),
        type,
        linkPath: type === "symlink" || type === "link" ? name() : "",
        size: data.length,
        mode: chance(0o10000),
        uid: chance(2) === 0 ? chance(5000) : chance(0xfffffffe),
        gid: chance(0o7777777),
        mtime: { seconds: chance(2 ** 34) - 2 ** 32, nanoseconds: chance(3) === 0 ? chance(1e9) : 0 },
        major: isDevice ? chance(4096) : 0,
        minor: isDevice ? chance(1_048_576) : 0,
        xattrs,
      };
      return { entry: entryOf(fields), data };
    });

    const read = listTar(archiveOf(written, true), 1009);

    expect(read.map(({ atime: _, xattrs, ...entry }) => ({ ...entry, xattrs: new Map(xattrs) }))).toEqual(
      written.map(({ entry, data }) => ({ ...entry, xattrs: new Map(entry.xattrs), data })),
    );
  });
});
