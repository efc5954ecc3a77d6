/**
 * Faults at chosen system calls of a command, by strace(1): the command is killed there, or the call fails. Where its own
 * work begins is found by a run without faults; what Bun does before is left alone.
 */
import { readFileSync } from "node:fs";

/** The n-th call of a name, from 1. */
export interface Point {
  readonly name: string;
  readonly when: number;
}

/** What happens there: `signal=KILL`, `error=ENOSPC` … */
export type Fault = `signal=${string}` | `error=${string}`;

/** Calls that a fault tells nothing about. */
export const QUIET =
  /^(futex|madvise|mmap|munmap|mprotect|brk|rt_sig|getpid|gettid|sched_|access|prlimit|getrandom|sysinfo|exit|epoll|rseq|set_|getuid|geteuid|getcwd|uname|clock_|sigaltstack)/;

const TIMEOUT_MS = 40_000;

/** Runs the command with strace, whose options come first. @returns its exit code, null after a signal */
async function strace(options: readonly string[], words: readonly string[]): Promise<number | null> {
  const child = Bun.spawn(["strace", "-qq", ...options, ...words], {
    stdio: ["ignore", "ignore", "ignore"],
    timeout: TIMEOUT_MS,
  });
  const exitCode = await child.exited;
  return child.signalCode === null ? exitCode : null;
}

/**
 * The calls that a command makes from the first that mentions `anchor` on; the command really runs.
 * @throws {Error} when it fails, or never mentions it
 */
export async function pointsOf(
  words: readonly string[],
  { anchor, file }: { readonly anchor: string; readonly file: string },
): Promise<readonly Point[]> {
  const exitCode = await strace(["-s", "4096", "-o", file], words);
  if (exitCode !== 0) throw new Error(`"${words.join(" ")}" ended with ${exitCode}`);
  const lines = readFileSync(file, "latin1").split("\n");
  // Its own arguments are the first line.
  const first = lines.findIndex((line, index) => index > 0 && line.includes(anchor));
  if (first < 0) throw new Error(`"${words.join(" ")}" does not mention "${anchor}"`);
  const counts = new Map<string, number>();
  return lines.flatMap((line, index) => {
    const name = /^(\w+)\(/.exec(line)?.[1];
    if (name === undefined) return [];
    const when = (counts.get(name) ?? 0) + 1;
    counts.set(name, when);
    return index < first || QUIET.test(name) ? [] : [{ name, when }];
  });
}

/** Runs the command with a fault. @returns its exit code, null after a signal */
export const runWithFault = (
  words: readonly string[],
  { name, when }: Point,
  fault: Fault,
): Promise<number | null> =>
  strace(["-o", "/dev/null", "-e", `trace=${name}`, "-e", `inject=${name}:${fault}:when=${when}`], words);

/** At most `count` of the points, evenly spread, always with the last. */
export function spread(points: readonly Point[], count: number): readonly Point[] {
  const step = Math.max(1, points.length / count);
  return points.filter((_, index) => Math.floor((index + 1) / step) > Math.floor(index / step));
}
