/**
 * Two commands that do the same: the first is stopped at one of its calls, with whatever it holds, while the second begins; then
 * it is killed, or the call fails. Where the second waited it has to take over, and it has to succeed in any case.
 */
import { readdirSync, readFileSync, rmSync } from "node:fs";
import type { Point } from "./faults.ts";
import type { PullPlace } from "./pull_place.ts";
import { runAtPoint } from "./store_faults.ts";
import type { StoreVerb } from "./store_verbs.ts";

const STEP_MS = 5;
/** Between two calls a traced thread is stopped for a moment; one that is for so many looks stands still. */
const LOOKS = 4;
/** For the second to come to where it waits; it is right whether it does or not. */
const WAITING_MS = 150;
const RIVAL_MS_MAX = 30_000;

/** Of a call that fails in the end. */
const DELAY_US = 400_000;

/** What becomes of the first. */
export type Ending = "killed" | "failed";

/** @returns what is wrong with the second, and whether the first was stopped before it ended */
export async function takeOver(
  place: PullPlace,
  verb: StoreVerb,
  { point, ending }: { readonly point: Point; readonly ending: Ending },
): Promise<{ readonly wrong: readonly string[]; readonly hasFailed: boolean }> {
  const env = verb.env?.(place) ?? {};
  let hasEnded = false;
  const trace = `${place.sandbox.directory}/trace`;
  rmSync(trace, { force: true });
  const fault = ending === "killed" ? "signal=STOP" : (`error=ENOSPC:delay_enter=${DELAY_US}` as const);
  const first = runAtPoint(place, verb.words(place), { point, fault, env, trace }).finally(() => {
    hasEnded = true;
  });
  // On a busy machine a thread that is traced can look stopped for long.
  const isThere = (): boolean => ending === "failed" || textOf(trace).includes("--- stopped by SIGSTOP ---");
  const pid = await stoppedBunker(place, { isThere, hasEnded: () => hasEnded });
  const second = rival(place, verb);
  await Bun.sleep(WAITING_MS);
  const isKilled = ending === "killed" && pid !== undefined && kill(pid);
  const { exitCode } = await first;
  return { wrong: await second, hasFailed: isKilled || exitCode !== 0 };
}

/** @returns false when it has ended by itself: it was no more than slow */
function kill(pid: number): boolean {
  try {
    return process.kill(pid, "SIGKILL");
  } catch {
    // ESRCH, the only error there is for root.
    return false;
  }
}

async function rival(place: PullPlace, verb: StoreVerb): Promise<string[]> {
  const wrong: string[] = [];
  for (const words of verb.again?.(place) ?? [verb.words(place)]) {
    const options = { timeoutMs: RIVAL_MS_MAX, env: verb.env?.(place) ?? {} };
    const { exitCode, stderr } = await place.bunker(words, options);
    if (exitCode !== 0) wrong.push(`beside: ${words.join(" ")}: ${exitCode} ${stderr}`);
  }
  return wrong;
}

/**
 * Waits until a command of that place, or a process that it has made, stands still.
 * @returns the command's process id; undefined when it ended instead
 */
async function stoppedBunker(
  place: PullPlace,
  { isThere, hasEnded }: Readonly<Record<"isThere" | "hasEnded", () => boolean>>,
): Promise<number | undefined> {
  let looks = 0;
  while (!hasEnded()) {
    const commands = isThere() ? tracedCommands(place) : [];
    const pid = commands.find((each) => [each, ...childrenOf(each)].some(isStopped));
    looks = pid === undefined ? 0 : looks + 1;
    if (looks === LOOKS) return pid;
    await Bun.sleep(STEP_MS);
  }
  return undefined;
}

function tracedCommands({ sandbox }: PullPlace): number[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids
    .filter((pid) => !/^TracerPid:\t0$/m.test(textOf(`/proc/${pid}/status`)))
    .filter((pid) => textOf(`/proc/${pid}/environ`).includes(`BUNKER_ROOT=${sandbox.root}\0`))
    .map(Number);
}

const childrenOf = (pid: number): number[] =>
  textOf(`/proc/${pid}/task/${pid}/children`).split(" ").filter(Boolean).map(Number);

function isStopped(pid: number): boolean {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    return threads.some((id) => /^State:\t[Tt]/m.test(textOf(`/proc/${pid}/task/${id}/status`)));
  } catch {
    // It has ended.
    return false;
  }
}

/** Empty when the process has ended meanwhile. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
