import { describe, expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, rmdirSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { devNull, tmpdir } from "node:os";
import { readDirectory } from "../../../src/linux/file.ts";

describe("readDirectory()", () => {
  test("lists what is in the directory", async () => {
    const directory = mkdtempSync(`${tmpdir()}/bunker-file-`);
    writeFileSync(`${directory}/a`, "");
    const fd = openSync(directory, "r");

    expect(readDirectory(fd).map(({ name }) => name)).toEqual(["a"]);

    closeSync(fd);
    await rm(directory, { recursive: true });
  });

  test("finds nothing in a directory that was removed while it was open", () => {
    const directory = mkdtempSync(`${tmpdir()}/bunker-file-`);
    const fd = openSync(directory, "r");
    rmdirSync(directory);

    expect(readDirectory(fd)).toEqual([]);

    closeSync(fd);
  });

  test("throws for what is no directory", () => {
    const fd = openSync(devNull, "r");

    expect(() => readDirectory(fd)).toThrow("ENOTDIR");

    closeSync(fd);
  });
});
