/** docs/spec-conformance.md against tests/conformance: what it names exists, and what exists is named. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { Glob } from "bun";
import { listedTitles } from "../conformance/known_failures.ts";

const FOLDER = join(import.meta.dir, "../conformance");
const text = readFileSync(join(import.meta.dir, "../../docs/spec-conformance.md"), "utf8");

/** `file: title` of each test, from the sources. */
const tests = [...new Glob("*.test.ts").scanSync(FOLDER)].sort().flatMap((file) => {
  const source = readFileSync(join(FOLDER, file), "utf8");
  const titles = [...source.matchAll(/conformanceTest\(\s*"((?:[^"\\]|\\.)*)"/g)].map(([, title]) => title);
  return titles.map((title) => `${basename(file, ".test.ts")}: ${title}`);
});

/** The same, from the last column of the tables. */
const named = [...text.matchAll(/^\|.*\| ([^|]*) \|$/gm)].flatMap(([, cell = ""]) =>
  cell.split("; `").flatMap((part) => {
    const file = /^`?([a-z_]+)`: /.exec(part)?.[1];
    if (file === undefined) return [];
    return [...part.matchAll(/"([^"]*)"/g)].map(([, title]) => `${file}: ${title}`);
  }),
);

describe("docs/spec-conformance.md", () => {
  test("names tests that exist", () => {
    expect(named.filter((name) => !tests.includes(name))).toEqual([]);
  });

  test("names every test of the folder", () => {
    expect(tests.filter((name) => !named.includes(name))).toEqual([]);
  });

  test("is found by these tests at all", () => {
    expect(tests.length).toBeGreaterThan(250);
    expect(named.length).toBeGreaterThanOrEqual(tests.length);
  });
});

describe("tests/conformance", () => {
  const titles = tests.map((name) => name.slice(name.indexOf(": ") + 2));

  test("has no title twice, since known failures are found by it", () => {
    expect(titles.filter((title, index) => titles.indexOf(title) !== index)).toEqual([]);
  });

  test("has every title that is known to fail", () => {
    expect(listedTitles().filter((title) => !titles.includes(title))).toEqual([]);
  });
});
