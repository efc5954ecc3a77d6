/**
 * bunker as an OCI runtime beside crun and runc: the same bundle for everybody, `/bin/true` in a root of a few files with
 * the runtimes' usual default configuration, no terminal. Four tables: run, create + start + delete, exec, and many at
 * once. What is measured is whole processes, as the engine above a runtime waits for them.
 */
import { readFileSync } from "node:fs";
import { bundleOf } from "./bundle.ts";
import { type Contestant, measure } from "./measure.ts";
import type { BenchSettings } from "./start.ts";
import { formatTable, notInstalled } from "./table.ts";
import { output } from "./workspace.ts";

/** Containers that are created and started at once, and the rounds of that. */
const CROWD = 200;
const CROWD_ROUNDS_MAX = 5;

/** A runtime: the words before a command of runc's command line. */
interface Runtime {
  readonly name: string;
  readonly words: readonly string[];
}

/** Measures it. @returns Markdown */
export async function benchOci({ bunker, directory, rounds }: BenchSettings): Promise<string> {
  const missing = ["crun", "runc"].filter((name) => Bun.which(name) === null);
  const runtimes = ["bunker oci", "crun", "runc"]
    .filter((name) => !missing.includes(name))
    .map((name): Runtime => {
      const program = name === "bunker oci" ? [bunker, "oci"] : [name];
      return { name, words: [...program, "--root", `${directory}/state-${name.replace(" ", "-")}`] };
    });
  const bundle = bundleOf(`${directory}/bundle`, ["/bin/true"]);
  const file = `${directory}/memory`;
  const table = async (title: string, contestants: Contestant[], count = rounds): Promise<string> =>
    formatTable(title, await measure(contestants, { rounds: count, file }), notInstalled(missing));
  return [
    await table(
      "oci: run",
      runtimes.map((runtime) => runContestant(runtime, bundle)),
    ),
    await table(
      "oci: create, start, delete",
      runtimes.map((runtime) => cycleContestant(runtime, bundle)),
    ),
    await execTable(runtimes, directory, table),
    await table(
      `oci: ${CROWD} at once, created, started, deleted`,
      runtimes.map((runtime) => crowdContestant(runtime, bundle)),
      Math.min(rounds, CROWD_ROUNDS_MAX),
    ),
    waitingMemory(runtimes, bundle),
  ].join("\n");
}

const idOf = (run: number): string => `bench-${process.pid}-${run}`;

const runContestant = ({ name, words }: Runtime, bundle: string): Contestant => ({
  name: `\`${name} run\``,
  cwd: bundle,
  command: (run) => [...words, "run", idOf(run)],
});

/** Three processes and a shell that calls them, as an engine does. */
const cycleContestant = ({ name, words }: Runtime, bundle: string): Contestant => ({
  name: `\`${name}\``,
  cwd: bundle,
  command: (run) => [
    "sh",
    "-c",
    'id=$1; shift; "$@" create "$id" && "$@" start "$id" && "$@" delete --force "$id"',
    "sh",
    idOf(run),
    ...words,
  ],
});

async function execTable(
  runtimes: readonly Runtime[],
  directory: string,
  table: (title: string, contestants: Contestant[]) => Promise<string>,
): Promise<string> {
  const bundle = bundleOf(`${directory}/sleeper`, ["/bin/sleep", "1000"]);
  for (const { words } of runtimes) runSilently([...words, "run", "--detach", "--bundle", bundle, "sleeper"]);
  try {
    const contestants = runtimes.map(({ name, words }) => ({
      name: `\`${name} exec\``,
      command: () => [...words, "exec", "sleeper", "/bin/true"],
    }));
    return await table("oci: exec", contestants);
  } finally {
    for (const { words } of runtimes) output([...words, "delete", "--force", "sleeper"]);
  }
}

/** All are created and started side by side, and deleted side by side. */
const crowdContestant = ({ name, words }: Runtime, bundle: string): Contestant => ({
  name: `\`${name}\``,
  cwd: bundle,
  command: (run) => [
    "sh",
    "-c",
    [
      "base=$1; count=$2; shift 2",
      'for n in $(seq "$count"); do ("$@" create "$base-$n" && "$@" start "$base-$n") & done; wait',
      'for n in $(seq "$count"); do "$@" delete --force "$base-$n" & done; wait',
      'test -z "$("$@" list -q)"',
    ].join("\n"),
    "sh",
    idOf(run),
    String(CROWD),
    ...words,
  ],
});

/** What the process between create and start holds for itself. */
function waitingMemory(runtimes: readonly Runtime[], bundle: string): string {
  const rows = runtimes.map(({ name, words }) => {
    const pidFile = `${bundle}/pid`;
    runSilently([...words, "create", "--bundle", bundle, "--pid-file", pidFile, "waiting"]);
    const rollup = readFileSync(`/proc/${readFileSync(pidFile, "utf8").trim()}/smaps_rollup`, "utf8");
    output([...words, "delete", "--force", "waiting"]);
    const kilobytes = [...rollup.matchAll(/^Private_\w+:\s+(\d+) kB/gm)].reduce(
      (sum, [, n]) => sum + Number(n),
      0,
    );
    return `\`${name}\` ${kilobytes} KB`;
  });
  return `Private memory of the process that waits between create and start: ${rows.join(", ")}.\n`;
}

/** A container that outlives its runtime keeps the standard streams: a pipe of ours would never end. */
function runSilently(command: readonly string[]): void {
  const { exitCode } = Bun.spawnSync([...command], { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
  if (exitCode !== 0) throw new Error(`Cannot prepare: ${command.join(" ")} exits with ${exitCode}`);
}
