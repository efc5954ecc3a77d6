/**
 * The reader of archives against GNU tar, on damaged ones: what it accepts, GNU tar accepts too and understands in the same
 * way; for everything else it has an error. Where images are read as Go reads them and GNU tar does otherwise stands below.
 */
import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import type { TarEntry } from "../../src/image/tar/entry.ts";
import { parseHeader } from "../../src/image/tar/header.ts";
import { parsePax, paxXattrs } from "../../src/image/tar/pax.ts";
import { type TarHandler, TarReader } from "../../src/image/tar/reader.ts";
import { DataMap, parsePairs, validateMap } from "../../src/image/tar/sparse.ts";
import { answerOf, FUZZ_MS_MAX, FUZZ_SEED, roundsOf } from "../helpers/fuzz.ts";
import { damagedBytes } from "../helpers/json_mutation.ts";
import { pick, type Random, seededRandom } from "../helpers/random_policy.ts";
import { testIf } from "../helpers/requires.ts";
import { BLOCK_BYTES, encodePaxRecords } from "../helpers/tar_header.ts";
import { mutatedTar } from "../helpers/tar_mutation.ts";

const ARCHIVES = 400;
const DOCUMENTS = 3000;
/** Times beyond are printed in another form. */
const SECONDS_MAX = 2 ** 33;

describe(`archives, seed ${FUZZ_SEED}`, () => {
  testIf(
    ["program tar"],
    "are understood as GNU tar understands them, or refused",
    () => {
      const random = seededRandom(FUZZ_SEED);
      let accepted = 0;

      for (let round = roundsOf(ARCHIVES); round > 0; round -= 1) {
        const archive = mutatedTar(random);
        const answer = answerOf(
          () => readTar(archive),
          () => hexOf(archive),
        );
        if (answer === undefined || isReadDifferently(archive)) continue;
        const { exitCode, lines, stderr } = gnuListing(archive);
        if (answer.value.some(({ major, minor, path }) => major < 0 || minor < 0 || path === "/")) continue;
        accepted += 1;
        expect({ archive: hexOf(archive), exitCode, stderr, lines }).toMatchObject({
          exitCode: 0,
          lines: answer.value.map(lineOf),
        });
      }

      expect(accepted).toBeGreaterThan(roundsOf(ARCHIVES) / 10);
    },
    FUZZ_MS_MAX,
  );

  test(
    "mean the same in whichever pieces they come",
    () => {
      const random = seededRandom(FUZZ_SEED);

      for (let round = roundsOf(ARCHIVES); round > 0; round -= 1) {
        const archive = mutatedTar(random);
        const whole = answerOf(
          () => readTar(archive),
          () => hexOf(archive),
        );
        const pieces = answerOf(
          () => readTar(archive, 1 + random(700)),
          () => hexOf(archive),
        );

        expect(pieces).toEqual(whole);
      }
    },
    FUZZ_MS_MAX,
  );
});

describe(`parts of archives, seed ${FUZZ_SEED}`, () => {
  test("header blocks of any bytes are read or refused", () => {
    const random = seededRandom(FUZZ_SEED);
    const start = Buffer.from(mutatedTar(random).subarray(0, BLOCK_BYTES));

    for (let round = roundsOf(DOCUMENTS); round > 0; round -= 1) {
      const damaged = Buffer.alloc(BLOCK_BYTES);
      damaged.set(damagedBytes(start, random));
      answerOf(
        () => parseHeader(damaged),
        () => damaged.toString("hex"),
      );
    }
  });

  test("extended headers of any records are read or refused", () => {
    const random = seededRandom(FUZZ_SEED);

    for (let round = roundsOf(DOCUMENTS); round > 0; round -= 1) {
      const body = Buffer.from(damagedBytes(encodePaxRecords(records(random)), random));
      answerOf(
        () => paxXattrs(parsePax(body)),
        () => body.toString("latin1"),
      );
    }
  });

  test("maps of sparse files are read or refused, and those that are read lie in their file", () => {
    const random = seededRandom(FUZZ_SEED);

    for (let round = roundsOf(DOCUMENTS); round > 0; round -= 1) {
      const numbers = Array.from({ length: random(8) }, () => pick(random, NUMBERS));
      const text = `${pick(random, NUMBERS)}\n${numbers.join("\n")}${pick(random, ["", "\n", "\n\n"])}`;
      const [real, stored] = [random(100), random(100)];
      for (const parse of [() => parsePairs(numbers), () => new DataMap().push(text)]) {
        const answer = answerOf(parse, () => text);
        if (answer?.value === undefined) continue;
        const segments = answer.value;
        if (
          answerOf(
            () => validateMap(segments, real, stored),
            () => text,
          ) === undefined
        )
          continue;
        const end = segments.at(-1);
        expect((end?.offset ?? 0) + (end?.length ?? 0)).toBeLessThanOrEqual(real);
      }
    }
  });
});

const NUMBERS = [
  "0",
  "1",
  "2",
  "9",
  "12",
  "-1",
  "1e3",
  "",
  " ",
  "x",
  "9007199254740993",
  "9".repeat(30),
  "0x10",
  "01",
];
const KEYS = [
  "path",
  "size",
  "GNU.sparse.offset",
  "GNU.sparse.numbytes",
  "SCHILY.xattr.user.x",
  "LIBARCHIVE.xattr.u%73er",
  "__proto__",
  "a=b",
  "",
];

function records(random: Random): ReadonlyArray<readonly [string, string]> {
  return Array.from({ length: 1 + random(5) }, () => [pick(random, KEYS), pick(random, NUMBERS)] as const);
}

const hexOf = (archive: Uint8Array): string =>
  Buffer.from(Bun.gzipSync(new Uint8Array(archive))).toString("base64");

interface ReadEntry extends TarEntry {
  /** Data by its offsets, in runs as long as they are. */
  readonly runs: Array<{ readonly offset: number; bytes: Buffer }>;
}

/** All entries of an archive that is pushed in pieces; no memory for what a header only claims. */
function readTar(archive: Uint8Array, pieceSize = archive.length): ReadEntry[] {
  const entries: ReadEntry[] = [];
  const handler: TarHandler = {
    onEntry: (entry) => void entries.push({ ...entry, runs: [] }),
    onData: (bytes, offset) => {
      const runs = entries.at(-1)?.runs ?? [];
      const last = runs.at(-1);
      if (last !== undefined && last.offset + last.bytes.length === offset)
        last.bytes = Buffer.concat([last.bytes, bytes]);
      else runs.push({ offset, bytes: Buffer.from(bytes) });
    },
    onEntryEnd: () => undefined,
  };
  const reader = new TarReader(handler);
  for (let at = 0; at < archive.length; at += pieceSize) reader.push(archive.subarray(at, at + pieceSize));
  reader.finish();
  return entries;
}

function gnuListing(archive: Uint8Array) {
  const words = [
    "--list",
    "--absolute-names",
    "--verbose",
    "--numeric-owner",
    "--full-time",
    "--quoting-style=escape",
    "-f",
    "-",
  ];
  const { status, stdout, stderr } = spawnSync("tar", words, {
    input: archive,
    env: { PATH: process.env["PATH"], LC_ALL: "C", TZ: "UTC" },
  });
  const lines = stdout.toString("latin1").split("\n").slice(0, -1).map(fieldsOf);
  return { exitCode: status, stderr: stderr.toString("latin1"), lines };
}

const LINE = /^(\S{10}) (-?\d+)\/(-?\d+) +(\S+) (-?\d+-\d\d-\d\d) (\S+) *(.*)$/;

/** A line of the listing without its columns; the time is left out where it is in another form. */
function fieldsOf(line: string): string {
  const [, mode, uid, gid, size, date, time, name] = LINE.exec(line) ?? [];
  // Of what has no content GNU tar shows whatever stands in the header.
  const shown = /^[dlhp]/.test(mode ?? "") ? "0" : size;
  // What POSIX calls contiguous is a file as any other.
  return mode === undefined
    ? line
    : [mode.replace(/^C/, "-"), uid, gid, shown, `${date} ${time}`, name].join(" ");
}

function lineOf(entry: TarEntry): unknown {
  const { type, mode, uid, gid, size, major, minor, path, linkPath, mtime } = entry;
  const what = type === "char" || type === "block" ? `${major},${minor}` : String(size);
  const link =
    type === "symlink" ? ` -> ${escaped(linkPath)}` : type === "link" ? ` link to ${escaped(linkPath)}` : "";
  const name = `${escaped(path)}${link}`.trimStart();
  // It shows a fraction before 1970 as one after.
  const isOdd = mtime.seconds < 0 && mtime.nanoseconds > 0;
  if (isOdd || Math.abs(mtime.seconds) > SECONDS_MAX) return expect.stringContaining(name);
  const [date, time] = new Date(mtime.seconds * 1000).toISOString().slice(0, 19).split("T");
  const fraction = String(mtime.nanoseconds).padStart(9, "0").replace(/0+$/, "");
  const moment = `${date} ${time}${fraction === "" ? "" : `.${fraction}`}`;
  return [modeOf(type, mode), uid, gid, what, moment, name].join(" ");
}

const KINDS = {
  file: "-",
  directory: "d",
  symlink: "l",
  link: "h",
  char: "c",
  block: "b",
  fifo: "p",
} as const;

function modeOf(type: TarEntry["type"], mode: number): string {
  const bits = [6, 3, 0].map((shift, index) => {
    const [read, write, execute] = [4, 2, 1].map((bit) => ((mode >> shift) & bit) !== 0);
    const isSpecial = (mode & (0o4000 >> index)) !== 0;
    const special = index === 2 ? "t" : "s";
    const last = isSpecial ? (execute ? special : special.toUpperCase()) : execute ? "x" : "-";
    return `${read ? "r" : "-"}${write ? "w" : "-"}${last}`;
  });
  return KINDS[type] + bits.join("");
}

/** As GNU tar's quoting style "escape" has it, in the locale C. */
function escaped(name: string): string {
  return [...name]
    .map((character) => {
      const simple = ESCAPES[character];
      if (simple !== undefined) return simple;
      const code = character.charCodeAt(0);
      return code < 32 || code > 126 ? `\\${code.toString(8).padStart(3, "0")}` : character;
    })
    .join("");
}

const ESCAPES: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  "\n": "\\n",
  "\t": "\\t",
  "\r": "\\r",
  "\b": "\\b",
  "\f": "\\f",
  "\v": "\\v",
  "\x07": "\\a",
};

/** The last of equal keys counts, whatever stands between; GNU tar looks whether the others have a meaning too. */
const TWICE = /\d ([\w.]+)=[^=]*(?:\n\d+ [\w.]+=[^=]*)*\n\d+ \1=/;

/**
 * What is not compared, since GNU tar and Go differ and images are made by Go: a size in the header of a symlink, directory
 * or device (GNU tar skips so many bytes), headers for all entries (type "g": GNU tar applies them). An empty file is no archive to GNU tar, and an
 * empty value of a record is a value to it, where POSIX and Go take the header's.
 */
function isReadDifferently(archive: Uint8Array): boolean {
  const text = Buffer.from(archive).toString("latin1");
  if (archive.length === 0 || /=\n/.test(text) || TWICE.test(text)) return true;
  for (let at = 0; at + BLOCK_BYTES <= archive.length; at += BLOCK_BYTES) {
    const block = Buffer.from(archive.subarray(at, at + BLOCK_BYTES));
    const type = String.fromCharCode(block[156] ?? 0);
    const size = block.toString("latin1", 124, 136);
    const before = Buffer.from(archive.subarray(Math.max(0, at - BLOCK_BYTES), at)).toString("latin1");
    const hasSize = /[^0\0 ]/.test(size) || /size=[^0\n]/.test(before);
    if (type === "g" || ("23456".includes(type) && hasSize)) return true;
  }
  return false;
}
