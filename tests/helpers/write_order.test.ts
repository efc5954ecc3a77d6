import { describe, expect, test } from "bun:test";
import { orderFaults } from "./write_order.ts";

const RECORD = [
  'openat(9</r/refs>, ".tmp-1", O_CREAT) = 4</r/refs/.tmp-1>',
  'write(4</r/refs/.tmp-1>, "x", 1) = 1',
];
const NAMED = [
  "fsync(4</r/refs/.tmp-1>) = 0",
  'rename("/r/refs/.tmp-1", "/r/refs/a") = 0',
  "fsync(5</r/refs>) = 0",
];
const BLOB = [
  'openat(AT_FDCWD</>, "/r/tmp/b", O_CREAT) = 3</r/tmp/b>',
  'write(3</r/tmp/b>, "x", 1) = 1',
  "syncfs(6</r>) = 0",
  'rename("/r/tmp/b", "/r/blobs/b") = 0',
];
const SYNC = "syncfs(6</r>) = 0";

const cases: ReadonlyArray<readonly [what: string, calls: readonly string[], faults: readonly string[]]> = [
  ["content, its name, and the record", [...BLOB, SYNC, ...RECORD, ...NAMED], []],
  [
    "a name before its content",
    BLOB.filter((line) => line !== SYNC),
    ["blobs/b is named before tmp/b is flushed", "blobs/b may be lost"],
  ],
  [
    "a record before the names of its content",
    [...BLOB, ...RECORD, ...NAMED],
    ["refs/a is named before the name of blobs/b is flushed", "blobs/b may be lost"],
  ],
  [
    "a record that is not flushed",
    [...RECORD, ...NAMED.slice(1)],
    ["refs/a is named before refs/.tmp-1 is flushed"],
  ],
  ["a directory that is not flushed", [...RECORD, ...NAMED.slice(0, 2)], ["refs/a may be lost"]],
];

describe("orderFaults()", () => {
  for (const [what, calls, faults] of cases) {
    test(`tells of ${what}`, () => {
      expect(orderFaults(calls.map((line) => `7 ${line}`).join("\n"), "/r")).toEqual(faults);
    });
  }

  test("puts together what another thread has cut in two", () => {
    const cut = BLOB.flatMap((line) => {
      const at = line.indexOf(")");
      return [`7 ${line.slice(0, at)} <unfinished ...>`, `7 <... call resumed>${line.slice(at)}`];
    });

    expect(orderFaults(cut.join("\n"), "/r")).toEqual(["blobs/b may be lost"]);
  });
});
