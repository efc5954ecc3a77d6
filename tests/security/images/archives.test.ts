/**
 * Archives that two readers understand differently, or that cost their reader more than they are long: what this reader
 * makes of them, on every way into the store. GNU tar's meaning, or a refusal.
 */
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { digestOfExecutable, type LayerRow, layerRowTest } from "../../helpers/hostile_archive.ts";
import { file, hardlink } from "../../helpers/hostile_layers.ts";
import { executable } from "../../helpers/requires.ts";
import { buildTar, type TarEntry } from "../../helpers/tar_builder.ts";
import {
  bytesOf,
  concatBytes,
  encodeHeader,
  encodePaxRecords,
  metaEntry,
  type PaxRecord,
  paddedToBlock,
} from "../../helpers/tar_header.ts";
import type { TreeSnapshot } from "../../helpers/tree_snapshot.ts";

const before = existsSync(executable) ? digestOfExecutable() : "";
/** A pass for each of them would take a minute. */
const CHAIN = 6000;
const END = new Uint8Array(1024);

/** An archive of blocks as they stand here, with its end. */
const raw = (...parts: readonly (readonly Uint8Array[])[]) => ({
  layer: { tar: concatBytes([...parts.flat(), END]) },
});
const pax = (...records: readonly PaxRecord[]): Uint8Array[] =>
  metaEntry("x", "PaxHeaders/x", encodePaxRecords(records));
const paxBody = (text: string): Uint8Array[] => metaEntry("x", "PaxHeaders/x", bytesOf(text));
const entry = (name: string, data = "", size = data.length, type = "0"): Uint8Array[] => [
  encodeHeader({ format: "ustar", name, mode: 0o644, uid: 0, gid: 0, size, mtime: 0, type }),
  ...paddedToBlock(bytesOf(data)),
];
/** A block that is a header to whoever skips too little. */
const smuggled = Buffer.from(concatBytes(entry("smuggled", "")));

const holds = (...paths: readonly string[]) => ({ outcome: { holds: paths } });
const refused = (pattern: RegExp) => ({ outcome: { refused: pattern } });
const bytesAt = (path: string, bytes: Uint8Array) => ({
  check: (tree: TreeSnapshot) => {
    expect(Object.keys(tree)).toEqual([".", path]);
    expect(tree[path]?.content).toBe(new Bun.CryptoHasher("sha256").update(bytes).digest("hex"));
  },
});

const sizes: readonly LayerRow[] = [
  {
    id: "CVE-2025-62518",
    what: "a size in the PAX header and 0 in the other hides an entry in the data",
    ...raw(pax(["size", "512"]), entry("honest", "", 0), [smuggled]),
    ...holds("honest"),
  },
  {
    id: "GHSA-vmf3-w455-68vh",
    what: "a size of a PAX header does not count for a long name that stands between",
    ...raw(
      pax(["size", "1024"]),
      metaEntry("L", "././@LongLink", bytesOf("long\0"), "gnu"),
      entry("short", "x".repeat(1024), 0),
    ),
    outcome: bytesAt("long", bytesOf("x".repeat(1024))),
  },
  {
    id: "GHSA-8x88-c5mf-7j5w",
    what: "a size of a PAX header that is negative",
    ...raw(pax(["size", "-512"]), entry("x"), entry("y")),
    ...refused(/Cannot read archive: "size" of an extended header is not a number in range/),
  },
  {
    id: "GHSA-w8wr-v893-vjvp",
    what: "a path in a PAX header that is a number",
    ...raw(pax(["path", "1234"]), entry("x")),
    ...holds("1234"),
  },
  {
    id: "GHSA-gvwx-54wh-qm9j",
    what: "a path in a PAX header with a NUL",
    ...raw(pax(["path", "safe\0/../../victim"]), entry("x")),
    ...refused(/Cannot read archive: a path is empty or holds a NUL/),
  },
  {
    id: "GHSA-gvwx-54wh-qm9j",
    what: "a link target in a PAX header with a NUL",
    ...raw(pax(["linkpath", "a\0/etc"]), entry("x", "", 0, "2")),
    ...refused(/Cannot read archive: a link target is empty or holds a NUL/),
  },
  {
    id: "the tar parser of astral-tokio",
    what: "a PAX record of wrong length is no reason to leave the header out",
    ...raw(paxBody("99 path=elsewhere\n"), entry("x")),
    ...refused(/an extended header has a record of wrong length/),
  },
  {
    id: "the tar parser of astral-tokio",
    what: "a PAX header that is cut short by its own size",
    ...raw(paxBody("18 path=elsewhere"), entry("x")),
    ...refused(/an extended header has a record of wrong length/),
  },
];

const bombs: readonly LayerRow[] = [
  {
    id: "CVE-2025-58183",
    what: "a sparse map of more blocks than a reader has memory for",
    entries: [{ name: "x", sparse: { form: "gnu", realSize: 2 ** 40, segments: manySegments(50_000) } }],
    ...refused(/Cannot read archive: a sparse map is too long/),
  },
  {
    id: "CVE-2026-32288",
    what: "a sparse map of PAX 1.0 that says it has a trillion pieces",
    ...raw(
      pax(
        ["GNU.sparse.major", "1"],
        ["GNU.sparse.minor", "0"],
        ["GNU.sparse.name", "x"],
        ["GNU.sparse.realsize", "1"],
      ),
      entry("x", "1000000000000\n0\n1\n"),
    ),
    ...refused(/Cannot read archive: a sparse map is too long/),
  },
  {
    id: "CVE-2026-32288",
    what: "pieces of a sparse map that overlap",
    entries: [
      {
        name: "x",
        sparse: {
          form: "pax-0.1",
          realSize: 20,
          segments: [
            { offset: 10, data: "aaaa" },
            { offset: 0, data: "bbbb" },
          ],
        },
      },
    ],
    ...refused(/a sparse map overlaps or passes the end of its file/),
  },
  {
    id: "GHSA of node-tar 7.5.19",
    what: "a layer of zeros at deflate's best ratio is a layer all the same",
    entries: [file("zeros", "\0".repeat(4_000_000))],
    ...holds("zeros"),
  },
  {
    id: "GHSA of node-tar 7.5.21",
    what: "ten thousand headers for an entry that does not come",
    ...raw(Array.from({ length: 10_000 }, () => pax(["comment", "x"])).flat()),
    ...refused(/Cannot read archive: an entry has two extended headers/),
  },
  {
    id: "a chain of hard links, last first in a zigzag",
    what: "is made in a time that grows with its length",
    entries: zigzag(CHAIN),
    ...holds(...Array.from({ length: CHAIN }, (_, index) => `l${index}`)),
  },
];

const latin1 = Uint8Array.of(0x66, 0xfc, 0x72);
const capability = Uint8Array.of(1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0a);
const segments = [
  { offset: 4096, data: "first" },
  { offset: 100_000, data: "second" },
];
const whole = (() => {
  const bytes = new Uint8Array(200_000);
  for (const { offset, data } of segments) bytes.set(bytesOf(data), offset);
  return bytes;
})();

const meanings: readonly LayerRow[] = [
  {
    id: "a path smuggled in the value of an attribute",
    what: "stays a value, as GNU tar has it",
    entries: [{ name: "honest", xattrs: { "user.note": "x\n25 path=SMUGGLED/victim\n" } }],
    outcome: {
      check: (tree) => {
        expect(Object.keys(tree)).toEqual([".", "honest"]);
        const value = Buffer.from("x\n25 path=SMUGGLED/victim\n").toString("hex");
        expect(tree["honest"]?.xattrs).toEqual([`user.note=${value}`]);
      },
    },
  },
  {
    id: "a capability",
    what: "comes through with each of its bytes, line feeds and NULs among them",
    entries: [{ name: "ping", mode: 0o755, xattrs: { "security.capability": capability } }],
    outcome: {
      check: (tree) =>
        expect(tree["ping"]?.xattrs).toEqual([
          `security.capability=${Buffer.from(capability).toString("hex")}`,
        ]),
    },
  },
  {
    id: "a name in Latin-1",
    what: "keeps its bytes",
    entries: [{ name: latin1, data: "x" }],
    outcome: { check: (tree) => expect(Object.keys(tree)).toEqual([".", "f\u00fcr"]) },
  },
  {
    id: "a PAX header of more than 1 MiB",
    what: "is refused, and not left out with the path that it gives",
    entries: [
      {
        name: "x",
        pax: [
          ["comment", "c".repeat(1 << 20)],
          ["path", "elsewhere"],
        ],
      },
    ],
    ...refused(/an extended header has \d+ bytes, more than 1048576/),
  },
  {
    id: "a wrong checksum between good entries",
    what: "ends the reading: what follows is not searched for headers",
    entries: [file("good"), { name: "bad", data: Buffer.from(smuggled), checksum: 1 }, file("later")],
    ...refused(/Cannot read archive: the checksum of a header is wrong \(byte 1024\)/),
  },
  {
    id: "a link name on an ordinary file",
    what: "means nothing, and the data is data",
    entries: [{ name: "x", type: "file", link: "/etc/passwd", data: Buffer.from(smuggled) }],
    outcome: bytesAt("x", smuggled),
  },
  {
    id: "entries after the end",
    what: "are not read, though they count for the digest",
    layer: { tar: concatBytes([buildTar([file("first")]), buildTar([file("after")])]) },
    ...holds("first"),
  },
  {
    id: "a header after a single block of zeros",
    what: "is refused: GNU tar warns, others go on or stop",
    layer: {
      tar: concatBytes([
        buildTar([file("first")], { endMarker: false }),
        new Uint8Array(512),
        buildTar([file("after")]),
      ]),
    },
    ...refused(/a header follows a block of zeros/),
  },
  ...(["gnu", "pax-0.0", "pax-0.1", "pax-1.0"] as const).map(
    (form): LayerRow => ({
      id: `a sparse file in the form ${form}`,
      what: "has its holes, and no map among its data",
      entries: [{ name: "sparse", sparse: { form, realSize: 200_000, segments } }],
      outcome: bytesAt("sparse", whole),
    }),
  ),
  ...["V", "M", "N", "D"].map(
    (type): LayerRow => ({
      id: `an entry of GNU's type ${type}`,
      what: "is refused by its type",
      entries: [{ name: "volume", type }],
      ...refused(new RegExp(`an entry has the unsupported type "${type}"`)),
    }),
  ),
  {
    id: "owners beyond what chown(2) takes",
    what: "do not become root",
    ...raw(pax(["uid", "4294967296"]), entry("x")),
    ...refused(/Cannot read archive: an entry has the uid 4294967296/),
  },
  {
    id: "an owner of -1",
    what: "does not mean that nothing changes",
    ...raw(pax(["uid", "4294967295"]), entry("x")),
    ...refused(/Cannot read archive: an entry has the uid 4294967295/),
  },
];

describe("an archive", () => {
  for (const row of [...sizes, ...bombs, ...meanings]) layerRowTest(row);

  test("leaves the executable what it was", () => {
    if (before !== "") expect(digestOfExecutable()).toBe(before);
  });
});

function manySegments(count: number) {
  return Array.from({ length: count }, (_, index) => ({ offset: index * 1024, data: "" }));
}

/** Each link names the one before it; even ones stand before odd ones, so that a pass in either direction makes one. */
function zigzag(count: number): TarEntry[] {
  const numbers = Array.from({ length: count - 1 }, (_, index) => index + 1);
  const order = [...numbers.filter((at) => at % 2 === 0), ...numbers.filter((at) => at % 2 === 1)];
  return [...order.map((at) => hardlink(`l${at}`, `l${at - 1}`)), file("l0")];
}
