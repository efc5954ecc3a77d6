/** Random but repeatable damage to tar archives: of headers, with checksums that are right again, of records, of blocks. */
import { pick, type Random } from "./random_policy.ts";
import { buildTar, type TarEntry } from "./tar_builder.ts";
import {
  BLOCK_BYTES,
  bytesOf,
  concatBytes,
  encodePaxRecords,
  metaEntry,
  writeChecksum,
} from "./tar_header.ts";

const segments = [
  { offset: 0, data: "first" },
  { offset: 5120, data: "x".repeat(512) },
  { offset: 9000, data: "" },
];

/** One archive of each format, with a bit of everything. */
const starts: readonly Uint8Array[] = (["v7", "ustar", "gnu", "pax"] as const).flatMap((format) => {
  const long = format === "gnu" || format === "pax" ? `${"l/".repeat(70)}ong` : "short";
  const entries: readonly TarEntry[] = [
    { name: "d/", mode: 0o1777, uid: 10, gid: 20 },
    { name: "d/file", data: "x".repeat(700), mode: 0o4755 },
    { name: long, data: "y" },
    { name: "link", type: "symlink", link: "d/file" },
    { name: "hard", type: "hardlink", link: "d/file" },
    { name: "empty" },
  ];
  const devices: readonly TarEntry[] = [
    { name: "null", type: "char", major: 1, minor: 3 },
    { name: "pipe", type: "fifo" },
  ];
  const special: readonly TarEntry[] =
    format === "pax"
      ? [
          { name: "x", xattrs: { "user.a": "b\n12 path=no\n" }, mtime: "1234567890.123456789" },
          { name: "sp1", sparse: { form: "pax-1.0", realSize: 9000, segments } },
          { name: "sp0", sparse: { form: "pax-0.1", realSize: 9000, segments } },
        ]
      : [];
  const sparse: readonly TarEntry[] =
    format === "gnu" ? [{ name: "sp", sparse: { form: "gnu", realSize: 9000, segments } }] : [];
  return [buildTar([...entries, ...(format === "v7" ? [] : devices), ...special, ...sparse], { format })];
});

const TYPES = [
  "0",
  "1",
  "2",
  "3",
  "4",
  "5",
  "6",
  "7",
  "\0",
  "x",
  "g",
  "L",
  "K",
  "S",
  "D",
  "V",
  "A",
  "Z",
  " ",
];
const NUMBERS = [
  "0",
  "1",
  "777",
  "1000",
  "00000000000",
  "77777777777",
  " 12 ",
  "8",
  "-1",
  "",
  "\x80\0\0\0\0\0\0\0\0\0\x02",
  "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0",
];
const NAMES = [
  "",
  ".",
  "..",
  "/",
  "/abs",
  "a/../b",
  "x/",
  "a\0b",
  "\xfc\n",
  " lead",
  "n".repeat(100),
  "p\\q",
  "a -> b",
];
const RECORDS: ReadonlyArray<readonly [string, string]> = [
  ["path", "renamed"],
  ["path", "dir/"],
  ["path", ""],
  ["linkpath", "target"],
  ["size", "0"],
  ["size", "512"],
  ["size", "1"],
  ["uid", "1234567"],
  ["gid", "0"],
  ["mtime", "1.5"],
  ["mtime", "-1.25"],
  ["mtime", "1234567890.1234567891"],
  ["comment", "c"],
  ["GNU.sparse.major", "1"],
  ["GNU.sparse.map", "0,1"],
  ["GNU.sparse.size", "10"],
  ["GNU.sparse.realsize", "10"],
  ["GNU.sparse.name", "sparse"],
  ["SCHILY.xattr.user.x", "\n"],
  ["hdrcharset", "BINARY"],
];
/** Offset and length of header fields that are changed as wholes. */
const FIELDS = [
  [100, 8, NUMBERS],
  [108, 8, NUMBERS],
  [124, 12, NUMBERS],
  [136, 12, NUMBERS],
  [329, 8, NUMBERS],
  [345, 12, NUMBERS],
  [386, 12, NUMBERS],
  [398, 12, NUMBERS],
  [410, 12, NUMBERS],
  [483, 12, NUMBERS],
  [0, 100, NAMES],
  [157, 100, NAMES],
  [345, 155, NAMES],
  [257, 8, ["ustar\x0000", "ustar  \0", "", "ustar\0  ", "ustar 00"]],
  [508, 4, ["tar\0", ""]],
  [482, 1, ["\0", "\x01"]],
] as const;

/** An archive with one to four changes. */
export function mutatedTar(random: Random): Uint8Array<ArrayBuffer> {
  let archive = new Uint8Array(pick(random, starts));
  for (let left = 1 + random(4); left > 0; left -= 1) archive = changed(archive, random);
  return archive;
}

function changed(archive: Uint8Array<ArrayBuffer>, random: Random): Uint8Array<ArrayBuffer> {
  const at = pick(random, headersOf(archive));
  switch (random(9)) {
    case 0:
      return archive.slice(0, random(archive.length));
    case 1:
      return withoutBlock(archive, random);
    case 2:
      return inserted(archive, at, metaEntry(pick(random, ["x", "L", "K"]), "meta", metaBody(random)));
    case 3:
      return inserted(archive, at, [archive.slice(at, at + BLOCK_BYTES)]);
    case 4:
      archive[random(archive.length)] = random(256);
      return archive;
    case 5:
      return rewritten(archive, at, (block) => block.set(bytesOf(pick(random, TYPES)), 156));
    default: {
      const [offset, length, values] = pick(random, FIELDS);
      const value = Buffer.from(pick(random, values as readonly string[]), "latin1").subarray(0, length);
      return rewritten(archive, at, (block) => {
        block.fill(0, offset, offset + length);
        block.set(value, offset);
      });
    }
  }
}

/** A body of records, or of a long name. */
function metaBody(random: Random): Uint8Array {
  const records = Array.from({ length: 1 + random(3) }, () => pick(random, RECORDS));
  const body = encodePaxRecords(records);
  if (random(4) === 0) return bytesOf(`${pick(random, NAMES)}\0`);
  if (random(4) === 0) body[random(body.length)] = random(256);
  return body;
}

/** Offsets of blocks that begin an entry, as far as their checksums tell. */
function headersOf(archive: Uint8Array): readonly number[] {
  const offsets: number[] = [];
  for (let at = 0; at + BLOCK_BYTES <= archive.length; at += BLOCK_BYTES) {
    if (/^[0-7 ]{6}/.test(Buffer.from(archive.subarray(at + 148, at + 154)).toString("latin1")))
      offsets.push(at);
  }
  return offsets.length === 0 ? [0] : offsets;
}

function rewritten(
  archive: Uint8Array<ArrayBuffer>,
  at: number,
  change: (block: Uint8Array) => void,
): Uint8Array<ArrayBuffer> {
  const block = archive.subarray(at, at + BLOCK_BYTES);
  if (block.length < BLOCK_BYTES) return archive;
  change(block);
  writeChecksum(block);
  return archive;
}

function inserted(archive: Uint8Array, at: number, blocks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return concatBytes([archive.subarray(0, at), ...blocks, archive.subarray(at)]);
}

function withoutBlock(archive: Uint8Array, random: Random): Uint8Array<ArrayBuffer> {
  const at = random(Math.ceil(archive.length / BLOCK_BYTES)) * BLOCK_BYTES;
  return concatBytes([archive.subarray(0, at), archive.subarray(at + BLOCK_BYTES)]);
}
