import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { Lock } from "../../../../src/fs/lock.ts";
import { ArchiveDirectory } from "../../../../src/image/copy/archive_directory.ts";

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(`${tmpdir()}/bunker-unit-`);
});
afterEach(() => rmSync(parent, { recursive: true }));

const HOUR_AGO = Date.now() / 1000 - 3600;

function abandoned(name: string): string {
  const path = `${parent}/${name}`;
  mkdirSync(path);
  writeFileSync(`${path}/part`, "x");
  utimesSync(path, HOUR_AGO, HOUR_AGO);
  return path;
}

describe("ArchiveDirectory", () => {
  test("goes with everything in it", () => {
    {
      using directory = new ArchiveDirectory(parent);
      mkdirSync(`${directory.path}/parts`);
      writeFileSync(`${directory.path}/parts/one`, "x");
      expect(readdirSync(parent)).toHaveLength(1);
    }
    expect(readdirSync(parent)).toEqual([]);
  });

  test("takes away what a killed process has left", () => {
    abandoned("bunker-archive-aaaaaa");

    using directory = new ArchiveDirectory(parent);

    expect(readdirSync(parent)).toEqual([directory.path.slice(parent.length + 1)]);
  });

  test("leaves alone what is used, young, or something else", () => {
    using _ = Lock.tryTake(abandoned("bunker-archive-used00"));
    abandoned("other-aaaaaa");
    mkdirSync(`${parent}/bunker-archive-young0`);
    writeFileSync(`${parent}/bunker-archive-file00`, "x");
    symlinkSync(`${parent}/other-aaaaaa`, `${parent}/bunker-archive-link00`);
    const before = readdirSync(parent);

    new ArchiveDirectory(parent)[Symbol.dispose]();

    expect(readdirSync(parent).sort()).toEqual(before.sort());
    expect(readdirSync(`${parent}/other-aaaaaa`)).toEqual(["part"]);
  });
});
