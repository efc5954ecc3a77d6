/** The documents against the sources: what they list exists, and what exists is listed. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Glob } from "bun";
import { runSpec } from "../../src/cli/run_spec.ts";
import { COMMANDS } from "../../src/cli/specs.ts";

const REPOSITORY = join(import.meta.dir, "../..");
const read = (path: string): string => readFileSync(join(REPOSITORY, path), "utf8");
const documents = ["*.md", "docs/**/*.md"]
  .flatMap((pattern) => [...new Glob(pattern).scanSync(REPOSITORY)])
  .sort();

describe("docs/errors.md", () => {
  test("lists exactly the codes of the errors in src", () => {
    const listed = new Set([...read("docs/errors.md").matchAll(/^\| `([A-Z_]+)` \|/gm)].map(groupOf));

    expect([...listed].sort()).toEqual(codesOfSources());
  });
});

describe("README.md", () => {
  test("lists every option of run", () => {
    const text = read("README.md");
    const names = runSpec.options.filter(({ hidden }) => hidden !== true).map(({ name }) => `--${name}`);

    expect(names.filter((name) => !new RegExp(`\`[^\`\\n]*${name}(?![a-z-])`).test(text))).toEqual([]);
  });

  test("lists no option that run does not have", () => {
    const table = /## Options of `bunker run`([\s\S]*?)\n## /.exec(read("README.md"))?.[1] ?? "";
    const listed = [...table.matchAll(/^\| `([^`]+)`/gm)].flatMap((row) =>
      [...groupOf(row).matchAll(/--([a-z-]+)/g)].map(groupOf),
    );
    const known = new Set(runSpec.options.map(({ name }) => name));

    expect(listed.length).toBeGreaterThan(0);
    expect(listed.filter((name) => !known.has(name))).toEqual([]);
  });

  test("names every command", () => {
    const text = read("README.md");

    expect(COMMANDS.map(({ name }) => name).filter((name) => !text.includes(`bunker ${name}`))).toEqual([]);
  });
});

describe("documents", () => {
  test("link to files that exist", () => {
    const broken = documents.flatMap((path) =>
      [...read(path).matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)]
        .map(groupOf)
        .filter((target) => !existsSync(join(REPOSITORY, dirname(path), target)))
        .map((target) => `${path}: ${target}`),
    );

    expect(broken).toEqual([]);
  });

  test("name files and folders of the tree that exist", () => {
    const missing = documents.flatMap((path) =>
      [...read(path).matchAll(/`((?:src|tests|scripts|bench|docs)\/[A-Za-z0-9_./*-]*)`/g)]
        .map(groupOf)
        .filter((name) => !name.includes("NAME") && !isThere(name))
        .map((name) => `${path}: ${name}`),
    );

    expect(missing).toEqual([]);
  });

  test("are found by these tests at all", () => {
    expect(documents).toContain("README.md");
    expect(documents).toContain("docs/adr/0001-a-container-is-a-program.md");
  });

  test("are numbered without a gap where they are decisions", () => {
    const numbers = documents.flatMap((path) => /^docs\/adr\/(\d{4})-/.exec(path)?.[1] ?? []);

    expect(numbers.map(Number)).toEqual(numbers.map((_, index) => index + 1));
  });

  test("say in every decision what was rejected", () => {
    const silent = documents.filter(
      (path) => path.startsWith("docs/adr/") && !/^## Rejected$/m.test(read(path)),
    );

    expect(silent).toEqual([]);
  });
});

/** In quotes after `code`: declared by a class, given to a constructor, or chosen where a cause has none. */
function codesOfSources(): string[] {
  const sources = [...new Glob("src/**/*.ts").scanSync(REPOSITORY)].filter((path) => !path.includes("/abi/"));
  const found = sources.flatMap((path) =>
    [...read(path).matchAll(/\bcode\b(?:: |s?\b[^\n"]{0,40} \?\? | = )"([A-Z_]+)"/g)].map(groupOf),
  );
  return [...new Set(found)].sort();
}

function groupOf(match: RegExpMatchArray): string {
  return match[1] as string;
}

function isThere(name: string): boolean {
  return name.includes("*")
    ? !new Glob(name).scanSync(REPOSITORY).next().done
    : existsSync(join(REPOSITORY, name));
}
