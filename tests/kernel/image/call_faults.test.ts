/**
 * A system call of a command that works on the store fails: the command says so in one message or does without, and leaves
 * what a kill may leave. A close(2) that fails is none of these faults: the kernel lets go of the descriptor all the same,
 * strace does not.
 */
import { describe, expect } from "bun:test";
import { type Fault, type Point, spread } from "../../helpers/faults.ts";
import type { PipedResult } from "../../helpers/pipes.ts";
import { PULL_NEEDS, PullPlace, refusalOf } from "../../helpers/pull_place.ts";
import { kernelTest, type Sandbox } from "../../helpers/sandbox.ts";
import { describePoint, runAtPoint, storePoints } from "../../helpers/store_faults.ts";
import {
  layerTrees,
  type StoreVerb,
  storeVerbs,
  verbImages,
  violationsAfter,
} from "../../helpers/store_verbs.ts";

/** `full`: every call; `kinds`: the first, a middle and the last of each name; otherwise a few, the same each time. */
const SWEEP = process.env["BUNKER_SWEEP"] ?? "";
const TEST_MS_MAX = SWEEP === "" ? 120_000 : 3_600_000;

/** What a disk, a table of descriptors, or memory can refuse, and at which calls. */
const FAULTS: ReadonlyArray<readonly [fault: Fault, calls: RegExp]> = [
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

/** Verbs of which a failing call tells something that no other does, and how many points each is hit at. */
const POINTS: Readonly<Record<string, number>> = {
  pull: 10,
  "pull of a large layer": 6,
  load: 10,
  rmi: 5,
  tag: 3,
  save: 3,
  import: 4,
  "pull of layers that become files": 4,
};

describe("a system call that fails in", () => {
  for (const verb of storeVerbs.filter(({ name }) => name in POINTS)) {
    for (const [fault, calls] of FAULTS) {
      kernelTest(
        `${verb.name} (${fault}) is told in one message, and leaves a whole store`,
        [...PULL_NEEDS, "program strace"],
        async (sandbox) => {
          const { findings, hits } = await sweep(sandbox, verb, { fault, calls });

          expect(findings).toEqual({});
          expect(hits).toBeGreaterThan(1);
        },
        TEST_MS_MAX,
      );
    }
  }
});

async function sweep(
  sandbox: Sandbox,
  verb: StoreVerb,
  { fault, calls }: { readonly fault: Fault; readonly calls: RegExp },
) {
  await using place = new PullPlace(sandbox, verbImages);
  await verb.before(place);
  const all = (await storePoints(place, verb.words(place), verb.env)).filter(({ name }) => calls.test(name));
  const trees = layerTrees(place);
  await violationsAfter(place, verb);
  const findings: Record<string, readonly string[]> = {};
  const points = chosen(all, POINTS[verb.name] ?? 0);
  let failed = 0;
  for (const point of points) {
    await verb.before(place);
    const result = await runAtPoint(place, verb.words(place), { point, fault, env: verb.env ?? {} });
    if (result.exitCode !== 0) failed += 1;
    const wrong = [...wrongIn(result), ...(await violationsAfter(place, verb, trees))];
    if (wrong.length > 0) findings[describePoint(point)] = wrong;
  }
  if (SWEEP !== "") console.log(`${fault}: ${verb.name}: ${points.length} points, ${failed} failed`);
  return { findings, hits: points.length };
}

function chosen(points: readonly Point[], count: number): readonly Point[] {
  if (SWEEP === "full") return points;
  if (SWEEP !== "kinds") return spread(points, Math.min(count, points.length));
  return [...Map.groupBy(points, ({ name }) => name).values()].flatMap((calls) => {
    const at = [0, Math.floor(calls.length / 2), calls.length - 1];
    return [...new Set(at)].flatMap((index) => calls[index] ?? []);
  });
}

/** What is wrong with the end of a command: a signal, a stack, a message that a mistake of ours makes. */
function wrongIn(result: PipedResult): readonly string[] {
  const { exitCode, signal, stderr } = result;
  if (exitCode === 0) return [];
  try {
    const { message, because } = refusalOf(result);
    const isOurs = /undefined|is not a|Cannot happen|TypeError|RangeError|SuppressedError/.test(
      [message, ...because].join("\n"),
    );
    const isKnown = exitCode === 125 || exitCode === 1;
    return isKnown && !isOurs ? [] : [`${exitCode}: ${stderr}`];
  } catch {
    return [`${exitCode} ${signal}: ${stderr}`];
  }
}
