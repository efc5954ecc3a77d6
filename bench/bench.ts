/**
 * Compares bunker with the engines that are installed: whole processes, in turn, medians with spread and ratios. Needs
 * root and dist/bunker; whatever it starts and makes is gone at its end.
 *
 *     Usage: bun run bench [--only=start|oci|pull] [--runs=N] [--readme] [--image=A,B] [--layers=gzip|zstd] [--with=A,B]
 *
 *     --only     one part instead of all
 *     --runs     rounds that count [15 of start and oci, 3 of pull]
 *     --readme   put the result of all parts into README.md
 *     --image    of pull: tiny, root, small, five [all]
 *     --layers   of pull: how layers are compressed [gzip,zstd]
 *     --with     of pull: erofs, podman, docker, umoci, curl, curl-all beside bunker [all]
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describeMachine } from "./machine.ts";
import { benchOci } from "./oci.ts";
import { benchPull } from "./pull.ts";
import { type BenchSettings, benchStart } from "./start.ts";
import { enterNamespace, openWorkspace } from "./workspace.ts";

const REPOSITORY = join(import.meta.dir, "..");
const ROUNDS_START = 15;
const ROUNDS_PULL = 3;
const ROUNDS_MAX = 1000;
const MARKS = ["<!-- bench: start -->", "<!-- bench: end -->"] as const;

/** The parts by name: what measures them, and how often. */
const parts: Readonly<Record<string, readonly [(settings: BenchSettings) => Promise<string>, number]>> = {
  start: [benchStart, ROUNDS_START],
  oci: [benchOci, ROUNDS_START],
  pull: [benchPull, ROUNDS_PULL],
};

const option = (name: string): string | undefined =>
  process.argv.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3);

/** The words of `--NAME=A,B`, each one of `known`; all of them without the option. */
function list(name: string, known: readonly string[]): readonly string[] {
  const words = option(name)?.split(",") ?? known;
  const unknown = words.find((word) => !known.includes(word));
  if (unknown !== undefined) throw new Error(`Cannot bench "${unknown}": expected ${known.join(", ")}`);
  return words;
}

async function main(): Promise<number> {
  const bunker = `${REPOSITORY}/dist/bunker`;
  const names = wantedParts();
  if (names === undefined) return fail(`Cannot bench "${option("only")}": expected start, oci or pull`);
  if (names.length === 1 && process.argv.includes("--readme")) return fail("Cannot use --readme with --only");
  if (process.getuid?.() !== 0) return fail("Cannot bench as an ordinary user: run it as root");
  if (!existsSync(bunker)) return fail("Cannot find dist/bunker: run bun run build first");
  const exitCode = enterNamespace();
  if (exitCode !== undefined) return exitCode;
  using workspace = openWorkspace();
  const texts: string[] = [];
  for (const name of names) {
    const [bench, usual] = parts[name] as (typeof parts)[string];
    const directory = `${workspace.path}/${name}`;
    mkdirSync(directory);
    texts.push(await bench({ bunker, directory, rounds: roundsOf(usual), list }));
  }
  const result = [describeMachine(workspace.notes), ...texts].join("\n");
  console.log(result);
  if (process.argv.includes("--readme")) putIntoReadme(result);
  return 0;
}

function wantedParts(): string[] | undefined {
  const only = option("only");
  if (only === undefined) return Object.keys(parts);
  return Object.hasOwn(parts, only) ? [only] : undefined;
}

function roundsOf(usual: number): number {
  const given = Number(option("runs") ?? usual);
  return Number.isInteger(given) && given > 0 ? Math.min(given, ROUNDS_MAX) : usual;
}

function putIntoReadme(result: string): void {
  const path = `${REPOSITORY}/README.md`;
  const text = readFileSync(path, "utf8");
  const [before, after] = [text.indexOf(MARKS[0]) + MARKS[0].length, text.indexOf(MARKS[1])];
  writeFileSync(path, `${text.slice(0, before)}\n${result.trim()}\n${text.slice(after)}`);
}

function fail(message: string): number {
  console.error(message);
  return 1;
}

process.exit(await main());
