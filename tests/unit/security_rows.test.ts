/** docs/security-rows.md: each row's test exists and knows the row by its name. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";

const ROW = /^\| ((?:CVE|GHSA)-[\w-]+) \| .+ \| `([\w/]+)` \|$/gm;
const repository = new URL("../..", import.meta.url).pathname;
const document = readFileSync(`${repository}/docs/security-rows.md`, "utf8");
const rows = [...document.matchAll(ROW)].map(([, id = "", file = ""]) => [id, file] as const);

describe("docs/security-rows.md", () => {
  test("has a row for each attack that its file names", () => {
    const known = new Set(rows.map(([id]) => id));
    const files = ["layers", "archives", "registries", "envelopes", "store", "runs", "containers"];
    const named = files.flatMap((file) =>
      [
        ...readFileSync(`${repository}/tests/security/images/${file}.test.ts`, "utf8").matchAll(
          /CVE-\d+-\d+|GHSA(?:-\w{4}){3}/g,
        ),
      ].map(([id]) => id),
    );

    expect([...new Set(named)].filter((id) => !known.has(id))).toEqual([]);
    expect(rows.length).toBeGreaterThan(50);
  });

  test.each(rows)("%s is in tests/security/%s", (id, file) => {
    const path = `${repository}/tests/security/${file}.test.ts`;

    expect(existsSync(path)).toBeTrue();
    expect(readFileSync(path, "utf8")).toContain(id);
  });
});
