/** docs/callers.md has one line for each row of tests/callers, and none besides. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { rowTitles } from "../callers/callers.ts";

const text = readFileSync(new URL("../../docs/callers.md", import.meta.url), "utf8");
const [, table = ""] = text.split("| caller | what is shown |\n|---|---|\n");

/** First two cells of each line: the caller, and what it is shown to do. */
const lines = [...table.matchAll(/^\| ([a-z ]+) \| (.+?) \|$/gm)].map(
  ([, caller, title]) => `${caller}: ${title}`,
);

describe("the table of callers", () => {
  test("has a line for every row", () => {
    const rows = Object.entries(rowTitles).flatMap(([caller, titles]) =>
      titles.map((title) => `${caller}: ${title}`),
    );

    expect(lines).toEqual(rows);
  });
});
