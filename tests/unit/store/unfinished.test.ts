import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { mendRecords } from "../../../src/store/images.ts";
import { removeUnfinished } from "../../../src/store/unfinished.ts";

/** All but the last digit of a name that a write begins with. */
const TEMPORARY = ".tmp-bunker-0123456789abcde";
let root = "";
beforeEach(() => {
  root = mkdtempSync(`${tmpdir()}/bunker-unfinished-`);
});
afterEach(() => rmSync(root, { recursive: true }));

describe("removeUnfinished()", () => {
  test("removes files that were never renamed, and directories in which nothing else is", () => {
    mkdirSync(`${root}/refs/host/gone/deep`, { recursive: true });
    mkdirSync(`${root}/refs/host/kept`);
    for (const path of [`${TEMPORARY}0`, `refs/host/gone/deep/${TEMPORARY}1`, `refs/host/kept/${TEMPORARY}2`])
      writeFileSync(`${root}/${path}`, "");
    writeFileSync(`${root}/refs/host/kept/:latest.json`, "{}");

    removeUnfinished(root);

    expect(readdirSync(root, { recursive: true }).sort()).toEqual([
      "refs",
      "refs/host",
      "refs/host/kept",
      "refs/host/kept/:latest.json",
    ]);
  });

  test("finds nothing to do in a store that has no records", () => {
    removeUnfinished(root);

    expect(readdirSync(root)).toEqual([]);
  });
});

describe("mendRecords()", () => {
  test("writes the index that a kill kept from being written", () => {
    mendRecords(root);

    expect(existsSync(`${root}/index.json`)).toBeTrue();
  });
});
