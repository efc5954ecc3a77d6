import { describe, expect, test } from "bun:test";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { replaceSmallFile } from "../../../src/linux/small_file.ts";

describe("replaceSmallFile()", () => {
  test("replaces what is there, and what a killed process has left", () => {
    using place = new Place();
    writeFileSync(place.file, "old and longer");
    writeFileSync(`${place.file}.new`, "half");

    replaceSmallFile(place.file, "new");

    expect(readFileSync(place.file, "utf8")).toBe("new");
    expect(existsSync(`${place.file}.new`)).toBe(false);
  });

  test("writes through no link that somebody has put in its way", () => {
    using place = new Place();
    writeFileSync(`${place.directory}/victim`, "untouched");
    symlinkSync("victim", `${place.file}.new`);

    replaceSmallFile(place.file, "new");

    expect(readFileSync(`${place.directory}/victim`, "utf8")).toBe("untouched");
    expect(lstatSync(place.file).isFile()).toBe(true);
  });

  test("leaves nothing where it cannot replace", () => {
    using place = new Place();
    mkdirSync(place.file);

    expect(() => replaceSmallFile(place.file, "new")).toThrow(/EISDIR/);

    expect(existsSync(`${place.file}.new`)).toBe(false);
  });
});

class Place implements Disposable {
  readonly directory = mkdtempSync(`${tmpdir()}/bunker-small-`);
  readonly file = `${this.directory}/file`;

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true });
  }
}
