/**
 * bunker is killed before each system call of each command that works on the store. BUNKER_SWEEP=full hits every one of
 * them, which takes minutes; otherwise a sample, the same each time.
 */
import { describe, expect } from "bun:test";
import { type Point, spread } from "../../helpers/faults.ts";
import { PULL_NEEDS, PullPlace } from "../../helpers/pull_place.ts";
import { kernelTest, type Sandbox } from "../../helpers/sandbox.ts";
import { describePoint, runAtPoint, storePoints } from "../../helpers/store_faults.ts";
import {
  layerTrees,
  type StoreVerb,
  storeVerbs,
  verbImages,
  violationsAfter,
} from "../../helpers/store_verbs.ts";

const IS_FULL = process.env["BUNKER_SWEEP"] === "full";
const POINTS_MAX = IS_FULL ? Number.POSITIVE_INFINITY : 12;
const TEST_MS_MAX = IS_FULL ? 3_600_000 : 120_000;

/** Calls after which the disk, or a lock, is another: a kill between two others is the same as one at the next of these. */
const CHANGES =
  /^(open|openat|openat2|creat|mkdir|mkdirat|rename|renameat|renameat2|link|linkat|symlink|symlinkat|unlink|unlinkat|rmdir|mknod|mknodat|f?truncate|write|pwrite64|writev|fsync|fdatasync|syncfs|flock|fchmod|fchmodat|chmod|fchown|fchownat|utimensat|[lf]?setxattr|copy_file_range|sendfile|close)$/;

describe("kill -9 in the middle of", () => {
  for (const verb of storeVerbs) {
    kernelTest(
      `${verb.name} leaves a whole store, and what comes next works`,
      [...PULL_NEEDS, "program strace"],
      async (sandbox) => {
        const { findings, hits, killed } = await sweep(sandbox, verb);

        expect(findings).toEqual({});
        expect(killed).toBeGreaterThan(hits / 2);
      },
      TEST_MS_MAX,
    );
  }
});

async function sweep(sandbox: Sandbox, verb: StoreVerb) {
  await using place = new PullPlace(sandbox, verbImages);
  await verb.before(place);
  const all = (await storePoints(place, verb.words(place), verb.env)).filter(({ name }) =>
    CHANGES.test(name),
  );
  const trees = layerTrees(place);
  await violationsAfter(place, verb);
  const findings: Record<string, readonly string[]> = {};
  const points: readonly Point[] = spread(all, Math.min(POINTS_MAX, all.length));
  let killed = 0;
  for (const point of points) {
    await verb.before(place);
    const { exitCode } = await runAtPoint(place, verb.words(place), {
      point,
      fault: "signal=KILL",
      env: verb.env ?? {},
    });
    if (exitCode !== 0) killed += 1;
    const wrong = await violationsAfter(place, verb, trees);
    if (wrong.length > 0) findings[describePoint(point)] = wrong;
  }
  if (IS_FULL) console.log(`kill -9: ${verb.name}: ${points.length} points, ${killed} killed`);
  return { findings, hits: points.length, killed };
}
