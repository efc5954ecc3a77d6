/** The linter's configuration catches what it promises: each deliberate breach is reported, each neighbour is not. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const REPOSITORY = join(import.meta.dir, "../../..");
const BIOME = join(REPOSITORY, "node_modules/.bin/biome");

const imports = (from: string): string => `import { a } from "${from}";\nexport const b = a;\n`;
const longFunction = `export function f(): void {\n${"  void 0;\n".repeat(61)}}\n`;

/** A file, its text, and the rule that it breaks. */
const BREACHES: readonly (readonly [path: string, text: string, rule: string])[] = [
  ["src/linux/up.ts", imports("../fs/x.ts"), "noRestrictedImports"],
  ["src/linux/side.ts", imports("../oci/x.ts"), "noRestrictedImports"],
  ["src/linux/abi/up.ts", imports("../../engine/x.ts"), "noRestrictedImports"],
  ["src/oci/side.ts", imports("../linux/x.ts"), "noRestrictedImports"],
  ["src/fs/up.ts", imports("../store/x.ts"), "noRestrictedImports"],
  ["src/runtime/side.ts", imports("../network/x.ts"), "noRestrictedImports"],
  ["src/network/side.ts", imports("../runtime/x.ts"), "noRestrictedImports"],
  ["src/registry/side.ts", imports("../store/x.ts"), "noRestrictedImports"],
  ["src/store/side.ts", imports("../registry/x.ts"), "noRestrictedImports"],
  ["src/image/up.ts", imports("../engine/x.ts"), "noRestrictedImports"],
  ["src/engine/up.ts", imports("../cli/x.ts"), "noRestrictedImports"],
  ["src/engine/options/up.ts", imports("../../cli/x.ts"), "noRestrictedImports"],
  ["src/cli/deep.ts", imports("../linux/x.ts"), "noRestrictedImports"],
  [
    "src/cli/deep_lazy.ts",
    'export const a = (): Promise<unknown> => import("../store/x.ts");\n',
    "noRestrictedImports",
  ],
  ["src/errors.ts", imports("./oci/x.ts"), "noRestrictedImports"],
  ["src/runtime/ffi.ts", imports("bun:ffi"), "noRestrictedImports"],
  ["src/engine/citty.ts", imports("citty"), "noRestrictedImports"],
  ["src/image/ofetch.ts", imports("ofetch"), "noRestrictedImports"],
  ["src/store/tar.ts", imports("tar"), "noRestrictedImports"],
  ["src/image/fetch.ts", "export const a = fetch;\n", "noRestrictedGlobals"],
  ["src/engine/exit.ts", "export const a = (): never => process.exit(1);\n", "noProcessExit"],
  ["src/engine/console.ts", "console.log(1);\n", "noConsole"],
  ["src/engine/long.ts", longFunction, "noExcessiveLinesPerFunction"],
  [
    "src/engine/many.ts",
    "export const f = (a: 1, b: 2, c: 3, d: 4): unknown => [a, b, c, d];\n",
    "useMaxParams",
  ],
  ["src/engine/default.ts", "export default 1;\n", "noDefaultExport"],
  ["src/engine/barrel.ts", 'export * from "./x.ts";\n', "noBarrelFile"],
  ["src/engine/any.ts", "export const a = (b: any): unknown => b;\n", "noExplicitAny"],
  ["src/engine/bang.ts", "export const a = (b?: { c: 1 }): 1 => b!.c;\n", "noNonNullAssertion"],
  ["src/engine/enumeration.ts", "export enum A {\n  B,\n}\n", "noEnum"],
  ["src/engine/CamelCase.ts", "export const a = 1;\n", "useFilenamingConvention"],
  ["src/engine/extension.ts", imports("./x"), "useImportExtensions"],
  ["src/engine/cycle.ts", 'import { b } from "./cycle_other.ts";\nexport const a = b;\n', "noImportCycles"],
  [
    "src/engine/floating.ts",
    "export function a(): void {\n  b();\n}\nasync function b(): Promise<void> {}\n",
    "noFloatingPromises",
  ],
];

/** Files that look alike and are right. */
const NEIGHBOURS: readonly (readonly [path: string, text: string])[] = [
  ["src/linux/ffi_ok.ts", imports("bun:ffi")],
  ["src/cli/citty_ok.ts", imports("citty")],
  ["src/cli/engine_ok.ts", imports("../engine/x.ts")],
  ["src/registry/ofetch_ok.ts", imports("ofetch")],
  ["src/registry/fetch_ok.ts", "export const a = fetch;\n"],
  ["src/image/tar_ok.ts", imports("tar")],
  ["src/image/down_ok.ts", imports("../registry/x.ts")],
  ["src/engine/down_ok.ts", imports("../linux/x.ts")],
  ["src/runtime/down_ok.ts", imports("../linux/abi/x.ts")],
  ["src/cli/exit_ok.ts", "export const a = (): never => process.exit(1);\n"],
  ["tests/unit/long_ok.test.ts", longFunction],
  ["tests/unit/deep_ok.test.ts", imports("../../src/linux/x.ts")],
];

describe("biome.json", () => {
  let directory = "";
  let reports: readonly string[] = [];

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "bunker-test-"));
    cpSync(join(REPOSITORY, "biome.json"), join(directory, "biome.json"));
    const counterpart = [
      "src/engine/cycle_other.ts",
      'import { a } from "./cycle.ts";\nexport const b = a;\n',
    ] as const;
    const folders = [
      "cli",
      "engine",
      "fs",
      "linux",
      "linux/abi",
      "network",
      "oci",
      "registry",
      "runtime",
      "store",
    ];
    const targets = folders.map((folder) => [`src/${folder}/x.ts`, "export const a = 1;\n"] as const);
    for (const [path, text] of [...BREACHES, ...NEIGHBOURS, ...targets, counterpart]) {
      mkdirSync(dirname(join(directory, path)), { recursive: true });
      writeFileSync(join(directory, path), text);
    }
    reports = lint(directory);
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  test.each(BREACHES)("reports %s", (path, _text, rule) => {
    expect(rulesReportedFor(path)).toContain(rule);
  });

  test.each(NEIGHBOURS)("accepts %s", (path) => {
    expect(rulesReportedFor(path)).toEqual([]);
  });

  function rulesReportedFor(path: string): readonly string[] {
    const own = reports.filter((report) => report.includes(`/${path},`));
    return own.map((report) => /title=lint\/\w+\/(\w+)/.exec(report)?.[1] ?? report);
  }
});

/** One line for each finding: rule and file, in the form of GitHub's annotations. */
function lint(directory: string): readonly string[] {
  const { stdout } = Bun.spawnSync([BIOME, "lint", "--reporter=github", "--max-diagnostics=none"], {
    cwd: directory,
  });
  return stdout
    .toString()
    .split("\n")
    .filter((line) => line.startsWith("::"));
}
