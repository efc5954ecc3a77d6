import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import {
  findUpperInMemory,
  giveUpper,
  isUpperInMemory,
  keepUpperInMemory,
  mayRefuseUpper,
} from "../../../src/engine/upper_in_memory.ts";
import { AT_FDCWD, O_DIRECTORY, O_PATH } from "../../../src/linux/abi/fcntl.ts";
import { Fd, openat, tryStatx } from "../../../src/linux/file.ts";

let container: string;
let upper: string;

beforeAll(() => {
  container = mkdtempSync(`${tmpdir()}/bunker-upper-`);
  upper = `${container}/layer`;
  mkdirSync(upper);
});
afterAll(() => rmSync(container, { recursive: true }));

const open = (path: string): number => openat(AT_FDCWD, path, { flags: O_PATH | O_DIRECTORY });
const identityOf = (fd: number): unknown => (tryStatx(fd, "") as { readonly identity: string }).identity;

describe("keepUpperInMemory()", () => {
  test("lets the layer be found until it is disposed of", () => {
    const fd = open(upper);
    const expected = identityOf(fd);
    const kept = keepUpperInMemory(container, fd);

    using found = findUpperInMemory(container);
    const wasThere = isUpperInMemory(container);
    kept[Symbol.dispose]();

    expect(found && identityOf(found.number)).toEqual(expected);
    expect([wasThere, isUpperInMemory(container)]).toEqual([true, false]);
    expect(findUpperInMemory(container)).toBeUndefined();
    expect(tryStatx(fd, "")).toBe(-9);
  });

  test("lets nothing be found where there is no room to say where it is", () => {
    const fd = open(upper);

    using _ = keepUpperInMemory(`${container}/missing`, fd);

    expect(isUpperInMemory(`${container}/missing`)).toBeFalse();
  });
});

describe("findUpperInMemory()", () => {
  const cases: ReadonlyArray<readonly [what: string, change: (text: string) => string]> = [
    ["a process that is not there", (text) => text.replace(/^\d+/, "4194305")],
    ["a descriptor that is not there", (text) => text.replace(/ \d+ /, " 99999 ")],
    ["a descriptor of something else", (text) => text.replace(/\d+$/, "1")],
    ["nothing that can be read", () => "../../etc /passwd x"],
    ["nothing", () => ""],
  ];
  test.each(cases)("finds nothing where the file names %s", (_what, change) => {
    using _ = keepUpperInMemory(container, open(upper));
    const file = `${container}/upper`;
    writeFileSync(file, change(readFileSync(file, "utf8")));

    expect(findUpperInMemory(container)).toBeUndefined();
  });
});

describe("giveUpper()", () => {
  test("hands on what there is to hand on", () => {
    using none = giveUpper(container, 7);
    using _ = keepUpperInMemory(container, open(upper));
    using given = giveUpper(container, 7);

    expect([none.inherit, none.upper]).toEqual([[], {}]);
    expect(given.inherit).toHaveLength(1);
    expect(given.upper).toEqual({ upper: 7 });
  });
});

describe("mayRefuseUpper()", () => {
  test("says so of /proc, and not of a tmpfs", () => {
    using proc = new Fd(open("/proc"));
    using tmpfs = new Fd(open("/dev/shm"));

    expect([mayRefuseUpper(proc.number), mayRefuseUpper(tmpfs.number)]).toEqual([true, false]);
  });
});
