/**
 * Measures whole processes: from the start of a command to its end, as the caller's clock sees it. Contestants take turns
 * in an order that is drawn anew for each round, and each begins on an idle machine: who runs right after another finds
 * locks of the kernel that are warm. The memory is measured in rounds of its own, which do not count for the time.
 */

/** A command to be measured. */
export interface Contestant {
  readonly name: string;
  /** The command of the `run`-th run, which is never used twice. */
  command(run: number): readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Brings back the state before a run; not measured. */
  reset?(run: number): void | Promise<void>;
  /** True when a daemon does the work: what the command itself takes of the processor says nothing. */
  readonly hasDaemon?: boolean;
}

/** What was measured of one contestant. */
export interface Measurement {
  readonly name: string;
  /** Milliseconds, in the order of the runs; empty when it failed. */
  readonly timesMs: readonly number[];
  /** Processor time of its whole tree, user and system, of each run in milliseconds; empty with a daemon. */
  readonly cpuMs: readonly number[];
  /** Largest resident set of any one process in its tree, in bytes; undefined where time(1) is missing. */
  readonly peakBytes: number | undefined;
  /** Why there are no times. */
  readonly failure: string | undefined;
}

/** Rounds before those that count: they measure the memory, fill the caches, and find out who fails. */
const MEMORY_ROUNDS = 1;
/** Pause before each run that counts. */
const IDLE_MS = 50;
/** Most time for one run. */
const RUN_MS_MAX = 120_000;
/** Characters of a failing command's output that are shown. */
const SHOWN_LENGTH_MAX = 300;
const MICROSECONDS_PER_MS = 1000;

class Series {
  readonly contestant: Contestant;
  readonly timesMs: number[] = [];
  readonly cpuMs: number[] = [];
  peakBytes: number | undefined;
  failure: string | undefined;

  constructor(contestant: Contestant) {
    this.contestant = contestant;
  }
}

/**
 * Runs all contestants in turn, `rounds` times.
 * @param file path of a temporary file
 */
export async function measure(
  contestants: readonly Contestant[],
  { rounds, file }: { readonly rounds: number; readonly file: string },
): Promise<Measurement[]> {
  const all = contestants.map((contestant) => new Series(contestant));
  for (let round = 0; round < MEMORY_ROUNDS + rounds; round++) {
    for (const series of round < MEMORY_ROUNDS ? all : shuffled(all)) {
      if (series.failure !== undefined) continue;
      // In turn is the point.
      await series.contestant.reset?.(round);
      if (round < MEMORY_ROUNDS) await measureMemory(series, round, file);
      else measureTime(series, round);
    }
  }
  return all.map(({ contestant, timesMs, cpuMs, peakBytes, failure }) => ({
    name: contestant.name,
    timesMs: failure === undefined ? timesMs : [],
    cpuMs: failure === undefined ? cpuMs : [],
    peakBytes,
    failure,
  }));
}

function measureTime(series: Series, round: number): void {
  Bun.sleepSync(IDLE_MS);
  const started = performance.now();
  const cpuMs = runOnce(series, series.contestant.command(round));
  if (cpuMs === undefined) return;
  series.timesMs.push(performance.now() - started);
  if (series.contestant.hasDaemon !== true) series.cpuMs.push(cpuMs);
}

/**
 * By a small program in between, since a process begins with the size of the one that forks it. GNU's time and busybox'
 * take the same options.
 */
async function measureMemory(series: Series, round: number, file: string): Promise<void> {
  const command = series.contestant.command(round);
  const time = [["time"], ["busybox", "time"]].find(([program = ""]) => Bun.which(program) !== null);
  if (time === undefined) return void runOnce(series, command);
  if (runOnce(series, [...time, "-f", "%M", "-o", file, ...command]) === undefined) return;
  const kilobytes = Number((await Bun.file(file).text()).trim());
  series.peakBytes = Math.max(series.peakBytes ?? 0, kilobytes * 1024);
}

/** @returns processor time in milliseconds; undefined when it has failed: the reason is kept */
function runOnce(series: Series, command: readonly string[]): number | undefined {
  const { cwd, env } = series.contestant;
  const { exitCode, stderr, resourceUsage } = Bun.spawnSync([...command], {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...process.env, ...env },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    timeout: RUN_MS_MAX,
  });
  if (exitCode === 0) return Number(resourceUsage.cpuTime.total) / MICROSECONDS_PER_MS;
  series.failure = `exit code ${exitCode}: ${stderr.toString().trim().slice(0, SHOWN_LENGTH_MAX)}`;
  return undefined;
}

/** Fisher and Yates. */
function shuffled<Item>(items: readonly Item[]): Item[] {
  const result = [...items];
  for (let last = result.length - 1; last > 0; last--) {
    const chosen = Math.floor(Math.random() * (last + 1));
    [result[last], result[chosen]] = [result[chosen] as Item, result[last] as Item];
  }
  return result;
}
