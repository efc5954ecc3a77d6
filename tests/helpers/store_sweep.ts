/**
 * Faults one after the other at chosen calls of one command, each on a store as the command finds it, with a look at what
 * is left. BUNKER_SWEEP says how many.
 */
import { type Fault, type Point, spread } from "./faults.ts";
import type { PipedResult } from "./pipes.ts";
import { type PullPlace, refusalOf } from "./pull_place.ts";
import { describePoint, runAtPoint, storePoints } from "./store_faults.ts";
import type { StoreVerb } from "./store_verbs.ts";
import { layerTrees, violationsAfter } from "./store_violations.ts";
import { type Ending, takeOver } from "./take_over.ts";

/** `full`: every call; `kinds`: the first, a middle and the last of each name; otherwise a few, the same each time. */
export const SWEEP = process.env["BUNKER_SWEEP"] ?? "";
/** Of one test. */
export const SWEEP_MS_MAX = SWEEP === "" ? 120_000 : 3_600_000;

/** Calls after which the disk, or a lock, is another: a kill between two others is the same as one at the next of these. */
export const CHANGES =
  /^(open|openat|openat2|creat|mkdir|mkdirat|rename|renameat|renameat2|link|linkat|symlink|symlinkat|unlink|unlinkat|rmdir|mknod|mknodat|f?truncate|write|pwrite64|writev|fsync|fdatasync|syncfs|flock|fchmod|fchmodat|chmod|fchown|fchownat|utimensat|[lf]?setxattr|copy_file_range|sendfile|mount|umount2|move_mount|close)$/;

type FaultAtCalls = readonly [fault: Fault, calls: RegExp];

/** What a disk, a table of descriptors, or memory can refuse, and at which calls. */
export const FAULTS: readonly [FaultAtCalls, ...(readonly FaultAtCalls[])] = [
  [
    "error=ENOSPC",
    /^(open|openat|mkdir|mkdirat|rename|renameat2|link|linkat|symlinkat|mknodat|ftruncate|write|pwrite64|writev|fsync|syncfs|[lf]?setxattr|copy_file_range|fallocate)$/,
  ],
  [
    "error=EIO",
    /^(open|openat|openat2|read|pread64|write|pwrite64|fsync|syncfs|rename|link|unlink|unlinkat|rmdir|getdents64|fstat|statx|newfstatat|stat|flock|lseek|fchmod|fchownat|utimensat|connect|sendto|recvfrom)$/,
  ],
  ["error=EMFILE", /^(open|openat|openat2|socket|pipe2|dup|dup3|fcntl|accept4)$/],
  [
    "error=EINTR",
    /^(open|openat|read|pread64|write|pwrite64|flock|fsync|ftruncate|connect|sendto|recvfrom)$/,
  ],
  [
    "error=ENOMEM",
    /^(open|openat|openat2|mkdir|mkdirat|rename|link|read|write|statx|getdents64|socket|sendto)$/,
  ],
];

/** What to do where. */
export interface StoreSweep {
  readonly fault: Fault;
  /** Names of the calls to hit. */
  readonly calls: RegExp;
  /** How many of them, when not all are asked for. */
  readonly count: number;
}

/** What came of it. */
export interface SweepResult {
  /** What is wrong, by the point. */
  readonly findings: Readonly<Record<string, readonly string[]>>;
  readonly hits: number;
  /** Commands that did not end well. */
  readonly failed: number;
}

/** Hits the command at each chosen point. */
export function sweepVerb(place: PullPlace, verb: StoreVerb, sweep: StoreSweep): Promise<SweepResult> {
  const { fault } = sweep;
  return sweepWith(place, verb, {
    ...sweep,
    hit: async (point) => {
      const env = verb.env?.(place) ?? {};
      const result = await runAtPoint(place, verb.words(place), { point, fault, env });
      const wrong = fault.startsWith("signal=") ? [] : wrongIn(result, point);
      return { wrong, hasFailed: result.exitCode !== 0 };
    },
  });
}

/** Stops the command at each chosen point, and ends it when a second one that does the same has begun. */
export function sweepRival(
  place: PullPlace,
  verb: StoreVerb,
  { ending, ...sweep }: Omit<StoreSweep, "fault"> & { readonly ending: Ending },
): Promise<SweepResult> {
  const hit = (point: Point) => takeOver(place, verb, { point, ending });
  return sweepWith(place, verb, { ...sweep, fault: `signal=STOP, ${ending}`, hit });
}

interface HitResult {
  readonly wrong: readonly string[];
  readonly hasFailed: boolean;
}

async function sweepWith(
  place: PullPlace,
  verb: StoreVerb,
  { fault, calls, count, hit }: StoreSweep & { readonly hit: (point: Point) => Promise<HitResult> },
): Promise<SweepResult> {
  const env = verb.env?.(place) ?? {};
  await verb.before(place);
  const all = (await storePoints(place, verb.words(place), env)).filter(({ name }) => calls.test(name));
  const trees = layerTrees(place);
  await violationsAfter(place, verb);
  const findings: Record<string, readonly string[]> = {};
  const points = chosen(all, count);
  let failed = 0;
  for (const point of points) {
    await verb.before(place);
    const { wrong: told, hasFailed } = await hit(point);
    if (hasFailed) failed += 1;
    const before = { trees, hasEndedWell: !hasFailed };
    const wrong = [...told, ...(await violationsAfter(place, verb, before))];
    if (wrong.length > 0) findings[describePoint(point)] = wrong;
  }
  if (SWEEP !== "") console.log(`${fault}: ${verb.name}: ${points.length} points, ${failed} failed`);
  return { findings, hits: points.length, failed };
}

function chosen(points: readonly Point[], count: number): readonly Point[] {
  if (SWEEP === "full") return points;
  if (SWEEP !== "kinds") {
    // Between these two a new file is whole and has no name: where most is left behind.
    const told = [
      points.find(({ name }) => name === "fsync"),
      points.findLast(({ name }) => name === "rename"),
    ];
    return [...new Set([...spread(points, Math.min(count, points.length)), ...told])].filter(
      (point) => point !== undefined,
    );
  }
  return [...Map.groupBy(points, ({ name }) => name).values()].flatMap((calls) => {
    const at = [0, Math.floor(calls.length / 2), calls.length - 1];
    return [...new Set(at)].flatMap((index) => calls[index] ?? []);
  });
}

/** What login says, whatever comes of it. */
const WARNINGS = /^(?:WARNING! .*\n(?:Configure .*\n)?)*/;

/**
 * A call, and nothing about what it was for. EINTR is made up where call() does not see it, EEXIST is what Bun's mkdirSync()
 * says when it cannot look at what is there.
 */
const BARE = /^(?:E(?!INTR|EXIST)[A-Z]+: |\w+\(.*\): E(?!INTR)[A-Z]+$)/;

/** What is wrong with the end of a command: a signal, a stack, a message that a mistake of ours makes. */
export function wrongIn(result: PipedResult, point: Point): readonly string[] {
  const { exitCode, signal, stderr } = result;
  // The same call of another process of the command may be the one that writes the message.
  const isMute = point.name === "write" && exitCode === 125 && stderr === "";
  if (exitCode === 0 || isMute) return [];
  try {
    const { message, because } = refusalOf({ ...result, stderr: stderr.replace(WARNINGS, "") });
    const isOurs = /undefined|is not a|Cannot happen|TypeError|RangeError|SuppressedError/.test(
      [message, ...because].join("\n"),
    );
    const isKnown = exitCode === 125 || exitCode === 1;
    return isKnown && !isOurs && !BARE.test(message) ? [] : [`${exitCode}: ${stderr}`];
  } catch {
    return [`${exitCode} ${signal}: ${stderr}`];
  }
}
