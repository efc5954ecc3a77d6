/**
 * bunker is killed before system calls of a commit, in whichever of its processes makes them, or a call fails: the container
 * goes on, the store is whole, and the next commit works. BUNKER_SWEEP=full hits every call that such a fault can meet.
 */
import { describe, expect } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { Box } from "../../helpers/box.ts";
import { type Fault, type Point, spread } from "../../helpers/faults.ts";
import { PullPlace } from "../../helpers/pull_place.ts";
import { kernelTest, type Sandbox } from "../../helpers/sandbox.ts";
import { describePoint, runAtPoint, storePoints } from "../../helpers/store_faults.ts";
import { FAULTS, SWEEP, SWEEP_MS_MAX, wrongIn } from "../../helpers/store_sweep.ts";
import { App, RUN_NEEDS } from "../run/app.ts";

const KILL_POINTS = 10;
/** Of each fault. */
const FAULT_POINTS = 2;
const THAW_MS_MAX = 30_000;

const CHANGES =
  /^(mkdir|mkdirat|rename|renameat|renameat2|link|linkat|unlink|unlinkat|write|pwrite64|syncfs|flock|close)$/;
const WORDS = ["commit", "box", "local/new:1"];
const ENV = { SOURCE_DATE_EPOCH: "1700000000" };

const stateOf = (id: string): string => {
  const files = [`freezer/bunker-${id}/freezer.state`, `bunker-${id}/cgroup.freeze`];
  const file = files.map((name) => `/sys/fs/cgroup/${name}`).find(existsSync);
  return file === undefined ? "" : readFileSync(file, "utf8").trim();
};

/** A guard that is the last one takes a moment. */
async function isThawed(id: string): Promise<boolean> {
  for (const end = Date.now() + THAW_MS_MAX; Date.now() < end; ) {
    if (/^(?:|THAWED|0)$/.test(stateOf(id))) return true;
    await Bun.sleep(10);
  }
  return false;
}

interface Sweep {
  readonly fault: Fault;
  readonly calls: RegExp;
  readonly count: number;
}

describe("a commit", () => {
  for (const [title, sweeps] of [
    ["that is killed", [{ fault: "signal=KILL", calls: CHANGES, count: KILL_POINTS }]],
    ["with a call that fails", FAULTS.map(([fault, calls]) => ({ fault, calls, count: FAULT_POINTS }))],
  ] as const) {
    kernelTest(
      `${title} leaves a container that runs and a whole store, and what comes next works`,
      [...RUN_NEEDS, "the executable", "program strace"],
      async (sandbox) => {
        const { findings, failed } = await sweep(sandbox, sweeps);

        expect(findings).toEqual({});
        expect(failed).toBeGreaterThan(0);
      },
      SWEEP_MS_MAX,
    );
  }
});

async function sweep(
  sandbox: Sandbox,
  sweeps: readonly Sweep[],
): Promise<{ readonly findings: object; readonly failed: number }> {
  const app = await App.install(sandbox);
  await using place = new PullPlace(sandbox, {});
  const box = await Box.start(app, "echo 1 > /srv; mkdir /d; ln /srv /d/srv; rm /bin/wc");
  const points = await storePoints(place, WORDS, ENV);
  await place.bunker(["rmi", "local/new:1"]);
  const findings: Record<string, unknown> = {};
  let [turn, failed] = [0, 0];
  for (const { fault, calls, count } of sweeps) {
    const all = points.filter(({ name }) => calls.test(name));
    for (const point of chosen(all, count)) {
      const { wrong, hasFailed } = await hit(place, point, fault);
      if (hasFailed) failed += 1;
      turn += 1;
      wrong.push(...(await violationsOf(place, box, `after-${turn}`)));
      if (wrong.length > 0) findings[`${fault}: ${describePoint(point)}`] = wrong;
    }
  }
  await box.end();
  if (SWEEP !== "") console.log(`commit: ${turn} points, ${failed} failed`);
  return { findings, failed };
}

/** Among the first writes of its processes is the one that lets the container go on when bunker is gone. */
function chosen(points: readonly Point[], count: number): readonly Point[] {
  const first = points.filter(({ name, when }) => name === "write" && when === 1);
  return SWEEP === "full" ? points : [...new Set([...first, ...spread(points, count)])];
}

async function hit(place: PullPlace, point: Point, fault: Fault) {
  const result = await runAtPoint(place, WORDS, { point, fault, env: ENV });
  const hasFailed = result.exitCode !== 0;
  const wrong = fault.startsWith("signal=") ? [] : [...wrongIn(result, point)];
  if (!hasFailed) {
    const { stdout } = await place.bunker(["images", "--format", "{{.Repository}}:{{.Tag}}"]);
    if (!stdout.split("\n").includes("local/new:1")) wrong.push(`after success: ${stdout}`);
  }
  return { wrong, hasFailed };
}

async function violationsOf(place: PullPlace, box: Box, mark: string): Promise<readonly string[]> {
  const thawed = await isThawed(box.id(place.sandbox));
  const lives = thawed && (await box.do("true", mark)).includes(mark);
  const check = await place.bunker(["system", "check"]);
  const again = await place.bunker(WORDS, { env: ENV });
  const run = await place.bunker(["run", "local/new:1", "/bin/cat", "/d/srv"]);
  await place.bunker(["rmi", "local/new:1"]);
  const left = readdirSync(`${place.sandbox.root}/tmp`);
  const outcome = { thawed, lives, check: check.exitCode, again: again.exitCode, stdout: run.stdout, left };
  const wanted = { thawed: true, lives: true, check: 0, again: 0, stdout: "1\n", left: [] };
  return Bun.deepEquals(outcome, wanted) ? [] : [JSON.stringify(outcome)];
}
