/**
 * Faults at the system calls of a command that works on the store: it is killed there, or the call fails, in whichever
 * thread makes it. A run without faults tells which calls there are; what Bun does before the store's path is first
 * mentioned is left alone.
 */
import { readFileSync } from "node:fs";
import { type Fault, type Point, QUIET } from "./faults.ts";
import type { PipedResult } from "./pipes.ts";
import type { PullPlace } from "./pull_place.ts";

/** strace makes a command slow, and a wait for a lock that nobody lets go of endless. */
const TIMEOUT_MS = 60_000;
const STRACE = ["strace", "-f", "-qq", "-s", "4096"];
/** A line of `strace -f -o`: the thread, and the call that it begins. */
const BEGUN = /^(\d+) +(\w+)\(/;
/** What the command works on, below the sandbox. */
const MENTIONED = ["root", "layout", "home"];
type Environment = Readonly<Record<string, string>>;
/** Keys as this test makes them: `name #when`. */
export const describePoint = ({ name, when }: Point): string => `${name} #${when}`;

/**
 * The calls of a command from the first on that mentions the store: a call counts from the start of its thread, as
 * strace counts them. The command really runs.
 * @throws {Error} when it fails
 */
export async function storePoints(
  place: PullPlace,
  words: readonly string[],
  env: Environment = {},
): Promise<readonly Point[]> {
  const { directory } = place.sandbox;
  const file = `${directory}/trace`;
  const { exitCode, stderr } = await place.bunker(words, {
    wrapper: [...STRACE, "-o", file],
    timeoutMs: TIMEOUT_MS,
    env,
  });
  if (exitCode !== 0) throw new Error(`"bunker ${words.join(" ")}" ended with ${exitCode}: ${stderr}`);
  const lines = readFileSync(file, "latin1").split("\n");
  // Its own arguments and environment are the first line.
  const first = lines.findIndex(
    (line, index) => index > 0 && MENTIONED.some((path) => line.includes(`"${directory}/${path}`)),
  );
  if (first < 0) throw new Error(`"bunker ${words.join(" ")}" mentions nothing of "${directory}"`);
  const counts = new Map<string, number>();
  const points = new Map<string, Point>();
  const early = new Set<string>();
  for (const [index, line] of lines.entries()) {
    const [, thread, name] = BEGUN.exec(line) ?? [];
    if (thread === undefined || name === undefined) continue;
    const when = (counts.get(`${thread} ${name}`) ?? 0) + 1;
    counts.set(`${thread} ${name}`, when);
    // The first such call of whichever thread is hit: one that Bun makes before stands for the whole count.
    if (index < first) early.add(describePoint({ name, when }));
    else if (!QUIET.test(name)) points.set(describePoint({ name, when }), { name, when });
  }
  return [...points].filter(([key]) => !early.has(key)).map(([, point]) => point);
}

/** What happens where. */
export interface FaultAt {
  readonly point: Point;
  readonly fault: Fault;
  readonly env?: Environment;
  /** Where strace(1) writes what it sees [/dev/null]. */
  readonly trace?: string;
}

/** Runs the command with a fault at that call of any thread. */
export function runAtPoint(
  place: PullPlace,
  words: readonly string[],
  { point: { name, when }, fault, env = {}, trace = "/dev/null" }: FaultAt,
): Promise<PipedResult> {
  const inject = ["-e", `trace=${name}`, "-e", `inject=${name}:${fault}:when=${when}`];
  return place.bunker(words, {
    wrapper: [...STRACE, "-o", trace, ...inject],
    timeoutMs: TIMEOUT_MS,
    env,
  });
}
