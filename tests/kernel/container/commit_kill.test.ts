/**
 * bunker is killed before system calls of a commit, in whichever of its processes makes them: the container goes on, the
 * store is whole, and the next commit works. BUNKER_SWEEP=full hits every call that changes something.
 */
import { describe, expect } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { Box } from "../../helpers/box.ts";
import { spread } from "../../helpers/faults.ts";
import { PullPlace } from "../../helpers/pull_place.ts";
import { kernelTest } from "../../helpers/sandbox.ts";
import { describePoint, runAtPoint, storePoints } from "../../helpers/store_faults.ts";
import { App, RUN_NEEDS } from "../run/app.ts";

const IS_FULL = process.env["BUNKER_SWEEP"] === "full";
const POINTS_MAX = IS_FULL ? Number.POSITIVE_INFINITY : 10;
const TEST_MS_MAX = IS_FULL ? 3_600_000 : 120_000;
const THAW_MS_MAX = 30_000;

const CHANGES =
  /^(mkdir|mkdirat|rename|renameat|renameat2|link|linkat|unlink|unlinkat|write|pwrite64|syncfs|flock|close)$/;

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

describe("kill -9 in the middle of a commit", () => {
  kernelTest(
    "leaves a container that runs and a whole store, and what comes next works",
    [...RUN_NEEDS, "the executable", "program strace"],
    async (sandbox) => {
      const app = await App.install(sandbox);
      await using place = new PullPlace(sandbox, {});
      const box = await Box.start(app, "echo 1 > /srv; mkdir /d; ln /srv /d/srv; rm /bin/wc");
      const id = box.id(sandbox);
      const words = ["commit", "box", "local/new:1"];
      const env = { SOURCE_DATE_EPOCH: "1700000000" };
      const points = (await storePoints(place, words, env)).filter(({ name }) => CHANGES.test(name));
      await place.bunker(["rmi", "local/new:1"]);

      const findings: Record<string, unknown> = {};
      let killed = 0;
      const chosen = spread(points, Math.min(POINTS_MAX, points.length));
      for (const [turn, point] of chosen.entries()) {
        const { exitCode } = await runAtPoint(place, words, { point, fault: "signal=KILL", env });
        if (exitCode !== 0) killed += 1;
        const thawed = await isThawed(id);
        const lives = thawed && (await box.do("true", `after-${turn}`)).includes(`after-${turn}`);
        const check = await place.bunker(["system", "check"]);
        const again = await place.bunker(words, { env });
        const run = await place.bunker(["run", "local/new:1", "/bin/cat", "/d/srv"]);
        await place.bunker(["rmi", "local/new:1"]);
        const left = readdirSync(`${sandbox.root}/tmp`);
        const outcome = {
          thawed,
          lives,
          check: check.exitCode,
          again: again.exitCode,
          stdout: run.stdout,
          left,
        };
        const wanted = { thawed: true, lives: true, check: 0, again: 0, stdout: "1\n", left: [] };
        if (!Bun.deepEquals(outcome, wanted)) findings[describePoint(point)] = outcome;
      }
      await box.end();

      expect(findings).toEqual({});
      expect(killed).toBeGreaterThan(0);
    },
    TEST_MS_MAX,
  );
});
