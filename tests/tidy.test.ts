/**
 * The style of the tree, tested: what the linter cannot see. Layers, cycles, the length of functions and default
 * exports are the linter's (biome.json, tests/unit/linter).
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { Glob } from "bun";
import { errnoName } from "../src/linux/abi/errno.ts";

const REPOSITORY = join(import.meta.dir, "..");

/** Longest file in lines, and deepest folder below src. */
const FILE_LINES_MAX = 400;
const FOLDERS_MAX = 3;

/** Tables of constants and generated code, which may be as long as the kernel's headers demand. */
const TABLES =
  /^src\/linux\/(abi\/|machine_)|^src\/runtime\/security\/[a-z_]*(table|profile|syscalls)[a-z_]*\.ts$/;

/** Files that are called from outside: the program, the library, and threads. */
const ENTRY_POINTS = /^src\/main\.ts$|^src\/engine\/api\.ts$|worker\.ts$/;

/** Where messages are those that callers of docker and runc look for. */
const FOREIGN_TEXTS = /^src\/(cli|engine\/bundle)\//;

interface SourceFile {
  readonly path: string;
  readonly text: string;
}

const sources = filesOf("src");
const tests = filesOf("tests");
const all = [...sources, ...tests, ...filesOf("scripts"), ...filesOf("bench")];

describe("the tree", () => {
  test(`has no file above ${FILE_LINES_MAX} lines`, () => {
    const long = all.filter(({ path, text }) => !TABLES.test(path) && linesOf(text).length > FILE_LINES_MAX);

    expect(long.map(({ path, text }) => `${path}: ${linesOf(text).length}`)).toEqual([]);
  });

  test("names files and folders in snake_case", () => {
    const odd = all.filter(({ path }) => !/^([a-z0-9_]+\/)*[a-z0-9_]+(\.test)?\.ts$/.test(path));

    expect(pathsOf(odd)).toEqual([]);
  });

  test("names every file after what is in it", () => {
    const vague = sources.filter(({ path }) =>
      /^(utils?|helpers?|common|misc|shared|index|mod|lib)\.ts$/.test(basename(path)),
    );

    expect(pathsOf(vague)).toEqual([]);
  });

  test(`has at most ${FOLDERS_MAX} folders below src`, () => {
    const deep = sources.filter(({ path }) => path.split("/").length - 2 > FOLDERS_MAX);

    expect(pathsOf(deep)).toEqual([]);
  });

  test("has no file that nothing imports", () => {
    const imported = new Set(sources.flatMap(importsOf));
    const dead = sources.filter(({ path }) => !imported.has(path) && !ENTRY_POINTS.test(path));

    expect(pathsOf(dead)).toEqual([]);
  });

  test("has no file that only hands on what others export", () => {
    const barrels = sources.filter(({ path, text }) => path !== "src/engine/api.ts" && isBarrel(text));

    expect(pathsOf(barrels)).toEqual([]);
  });
});

describe("constants of the kernel", () => {
  test("have their numbers in src/linux/abi alone, once", () => {
    const places = sources.flatMap(numbersOf);
    const errors = new Set(Array.from({ length: 256 }, (_, number) => errnoName(number)));
    const abi = new Map(
      places.filter(({ path }) => path.startsWith("src/linux/abi/")).map((p) => [p.name, p]),
    );

    const twice = places.filter((place) => (abi.get(place.name) ?? place) !== place);
    const strays = places.filter(({ name, path }) => errors.has(name) && !path.endsWith("/errno.ts"));

    expect(abi.size).toBeGreaterThan(200);
    expect([...twice, ...strays].map(({ path, name }) => `${path}: ${name}`)).toEqual([]);
  });
});

describe("comments", () => {
  test("stand at the head of every file", () => {
    const bare = [...sources, ...filesOf("scripts"), ...filesOf("bench")].filter(
      ({ text }) => !/^(#![^\n]*\n)?\/(\*\*|\/ )/.test(text),
    );

    expect(pathsOf(bare)).toEqual([]);
  });

  test("stand above every exported declaration", () => {
    const findings = sources.filter(({ path }) => !TABLES.test(path)).flatMap(undocumentedExports);

    expect(findings).toEqual([]);
  });

  test("have neither doubts nor history, and no task without an issue", () => {
    const banned = new RegExp(
      `\\b(${["TODO(?!\\(#\\d+\\))", "FIXME", "XXX", "HACK", ...DOUBTS].join("|")})\\b`,
    );
    const findings = all.filter(notThisFile).flatMap((file) => linesMatching(file, banned));

    expect(findings).toEqual([]);
  });

  test("name no path of one developer's machine", () => {
    const findings = all
      .filter(notThisFile)
      .flatMap((file) => linesMatching(file, /\/(work|home\/[a-z]+)\/(main|shared)\b/));

    expect(findings).toEqual([]);
  });
});

describe("messages of errors", () => {
  const messages = sources.flatMap(messagesOf);

  test("are found by this test at all", () => {
    expect(messages.length).toBeGreaterThan(20);
  });

  test("begin with a capital, save those of the command line, which are docker's, and of runc's verbs", () => {
    const small = messages.filter(({ path, text }) => !FOREIGN_TEXTS.test(path) && /^[a-z]/.test(text));

    expect(small.map(describeMessage)).toEqual([]);
  });

  test("have no final period and no contraction", () => {
    const odd = messages.filter(
      ({ text }) =>
        (/[.!]$/.test(text) && !/^Cannot happen/.test(text)) ||
        /\b\w+n't\b|\b(it|that|there)'s\b/i.test(text),
    );

    expect(odd.map(describeMessage)).toEqual([]);
  });

  test("put values in double quotes", () => {
    const odd = messages.filter(({ text }) => /'\$\{/.test(text));

    expect(odd.map(describeMessage)).toEqual([]);
  });
});

describe("tests", () => {
  test("are sentences in the present tense", () => {
    const odd = tests
      .filter(notThisFile)
      .flatMap((file) =>
        linesMatching(file, /^\s*(test|it)[.a-zA-Z()]*\(\s*["'`][^"'`]*(\bshould\b|\bworks["'`])/),
      );

    expect(odd).toEqual([]);
  });

  test("are never the only ones to run", () => {
    const odd = tests.filter(notThisFile).flatMap((file) => linesMatching(file, /\b(test|describe)\.only\(/));

    expect(odd).toEqual([]);
  });

  test("mirror the tree of sources in tests/unit", () => {
    const folders = new Set(sources.map(({ path }) => dirname(path).replace(/^src\/?/, "")));
    const odd = tests
      .filter(({ path }) => path.startsWith("tests/unit/") && path.endsWith(".test.ts"))
      .map(({ path }) => dirname(path).replace(/^tests\/unit\/?/, ""))
      .filter((folder) => !folders.has(folder) && folder !== "linter" && folder !== "scripts");

    expect(odd).toEqual([]);
  });
});

const DOUBTS = [
  "hopefully",
  "not sure",
  "I think",
  "for some reason",
  "as discussed",
  "used to be",
  "no longer used",
];

function filesOf(folder: string): readonly SourceFile[] {
  const paths = [...new Glob(`${folder}/**/*.ts`).scanSync(REPOSITORY)].sort();
  return paths
    .filter((path) => !path.includes("/fixtures/"))
    .map((path) => ({ path, text: readFileSync(join(REPOSITORY, path), "utf8") }));
}

function notThisFile({ path }: SourceFile): boolean {
  return path !== "tests/tidy.test.ts" && !path.startsWith("tests/unit/linter/");
}

function pathsOf(files: readonly SourceFile[]): readonly string[] {
  return files.map(({ path }) => path);
}

function linesOf(text: string): readonly string[] {
  return text.replace(/\n$/, "").split("\n");
}

function linesMatching({ path, text }: SourceFile, pattern: RegExp): readonly string[] {
  return linesOf(text).flatMap((line, index) =>
    pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [],
  );
}

/** Paths from the repository's root of whatever a file imports, statically, lazily, or as a thread. */
function importsOf({ path, text }: SourceFile): readonly string[] {
  const quoted = text.matchAll(/(?:from|import\(|import|new URL\(|Worker\()\s*"(\.[^"]+)"/g);
  return [...quoted].map((match) => join(dirname(path), match[1] ?? ""));
}

/** Constants that are a number and nothing else. */
function numbersOf({ path, text }: SourceFile): readonly { readonly path: string; readonly name: string }[] {
  const found = text.matchAll(/^(?:export )?const ([A-Z][A-Z0-9_]+) = -?[0-9][0-9a-fx_]*;/gm);
  return [...found].map((match) => ({ path, name: match[1] ?? "" }));
}

function isBarrel(text: string): boolean {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/\/\/.*$/gm, "");
  return (
    /\bexport\b/.test(code) && code.replace(/export\s+(type\s+)?(\*|\{[^}]*\})[^;]*;/g, "").trim() === ""
  );
}

const EXPORT =
  /^export (?:declare )?(?:abstract )?(?:async )?(?:function\*?|class|const|let|interface|type) (\w+)/;

/**
 * Exports without a comment above. Further signatures of an overloaded function share the first one's, and the
 * constants of one block that of the block.
 */
function undocumentedExports({ path, text }: SourceFile): readonly string[] {
  const lines = linesOf(text);
  return lines.flatMap((line, index) => {
    const name = EXPORT.exec(line)?.[1];
    const above = lines[index - 1] ?? "";
    if (name === undefined || above.endsWith("*/") || EXPORT.exec(above)?.[1] === name) return [];
    if (/^export const/.test(line) && /^export const .*;/.test(above)) return [];
    return [`${path}:${index + 1}: ${name}`];
  });
}

interface Message extends SourceFile {
  readonly text: string;
}

/** First arguments of `new SomethingError(…)` that are texts. */
function messagesOf({ path, text }: SourceFile): readonly Message[] {
  const found = text.matchAll(
    /new \w*Error\(\s*(?:"((?:[^"\\]|\\.)*)"|`((?:[^`\\]|\\.)*)`|'((?:[^'\\]|\\.)*)')/g,
  );
  return [...found].map((match) => ({ path, text: match[1] ?? match[2] ?? match[3] ?? "" }));
}

function describeMessage({ path, text }: Message): string {
  return `${path}: ${text}`;
}
