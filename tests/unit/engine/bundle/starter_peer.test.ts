/** What `spec` writes beside what the installed runc writes, as values; each difference stands here with its reason. */
import { describe, expect } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { starterConfig } from "../../../../src/engine/bundle/starter_config.ts";
import { checkConfig } from "../../../../src/oci/bundle/parse.ts";
import { testIf } from "../../../helpers/requires.ts";

type Json = null | string | number | boolean | readonly Json[] | { readonly [key: string]: Json };

/** Fields that differ on purpose; lists of which the order means nothing are compared as sets. */
const DIFFERENCES: readonly string[] = [
  // Ours is newer.
  "ociVersion",
  "hostname",
  // Ambient capabilities would go to programs that a user of the container starts.
  "process.capabilities.ambient",
  // Everything that gives the host away or can be executed on is closed.
  "mounts[0].options",
  "linux.maskedPaths",
  "linux.readonlyPaths",
  // The container sees its own control group only.
  "linux.namespaces",
];

describe("starterConfig()", () => {
  testIf(["program runc"], "writes what runc writes, but for what is stricter", () => {
    const peer = specOfRunc([]);

    const ours = JSON.parse(JSON.stringify(starterConfig(undefined))) as Json;

    expect(differences(ours, peer).filter(isUnexpected)).toEqual([]);
  });

  testIf(["program runc"], "writes what runc writes for an ordinary user, but for what is stricter", () => {
    const peer = specOfRunc(["--rootless"]);
    const user = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };

    const ours = JSON.parse(JSON.stringify(starterConfig(user))) as Json;

    expect(differences(ours, peer).filter(isUnexpected)).toEqual([]);
  });

  testIf(["program runc"], "hides at least what runc hides", () => {
    const { maskedPaths, readonlyPaths } = linuxOf(specOfRunc([]));

    const ours = linuxOf(starterConfig(undefined) as Json);

    const closed = [...ours.maskedPaths, ...ours.readonlyPaths];
    expect(maskedPaths.filter((path) => !ours.maskedPaths.includes(path))).toEqual([]);
    expect(readonlyPaths.filter((path) => !closed.includes(path))).toEqual([]);
  });

  testIf(["program runc"], "gives at least the namespaces that runc gives", () => {
    const types = (config: Json): string[] => linuxOf(config).namespaces.map(({ type }) => type);
    const ours = types(starterConfig(undefined) as Json);

    expect(types(specOfRunc([])).filter((type) => !ours.includes(type))).toEqual([]);
  });
});

describe("checkConfig()", () => {
  testIf(["program runc"], "finds no fault in what runc's spec writes", () => {
    expect(checkConfig(JSON.stringify(specOfRunc([])))).toEqual([]);
    expect(checkConfig(JSON.stringify(specOfRunc(["--rootless"])))).toEqual([]);
  });
});

function isUnexpected(path: string): boolean {
  return !DIFFERENCES.some((known) => path === known || path.startsWith(`${known}[`));
}

function specOfRunc(options: readonly string[]): Json {
  const bundle = mkdtempSync(join(tmpdir(), "bunker-spec-"));
  try {
    const { success, stderr } = Bun.spawnSync(["runc", "spec", ...options], { cwd: bundle });
    if (!success) throw new Error(`Cannot run runc: ${stderr}`);
    return JSON.parse(readFileSync(join(bundle, "config.json"), "utf8"));
  } finally {
    rmSync(bundle, { recursive: true });
  }
}

interface Closed {
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  readonly namespaces: ReadonlyArray<{ readonly type: string }>;
}

function linuxOf(config: Json): Closed {
  return (config as unknown as { readonly linux: Closed }).linux;
}

/** Paths of all values that are not equal; a list of texts is one value. */
function differences(one: Json | undefined, other: Json | undefined, path = ""): string[] {
  if (Bun.deepEquals(sorted(one), sorted(other))) return [];
  if (!isContainer(one) || !isContainer(other)) return [path];
  const isList = Array.isArray(one);
  return [...new Set([...Object.keys(one), ...Object.keys(other)])].flatMap((key) => {
    const child = isList ? `${path}[${key}]` : `${path}${path === "" ? "" : "."}${key}`;
    return differences((one as Record<string, Json>)[key], (other as Record<string, Json>)[key], child);
  });
}

function isContainer(value: Json | undefined): value is readonly Json[] | { readonly [key: string]: Json } {
  if (typeof value !== "object" || value === null) return false;
  return !Array.isArray(value) || !value.every((element) => typeof element === "string");
}

function sorted(value: Json | undefined): Json | undefined {
  return Array.isArray(value) && value.every((element) => typeof element === "string")
    ? [...value].sort()
    : value;
}
