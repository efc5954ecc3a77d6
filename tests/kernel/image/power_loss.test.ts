/**
 * The power goes while a command changes the store: what is on the disk then is a whole store, and what a command that has ended
 * has brought is there. BUNKER_SWEEP=full hits every call that changes something; BUNKER_DISK=xfs or btrfs is another disk.
 */
import { describe, expect } from "bun:test";
import { type DiskKind, DiskPlace } from "../../helpers/disk_place.ts";
import { type Point, spread } from "../../helpers/faults.ts";
import { PULL_NEEDS, PullPlace } from "../../helpers/pull_place.ts";
import { kernelTest } from "../../helpers/sandbox.ts";
import { describePoint, runAtPoint, storePoints } from "../../helpers/store_faults.ts";
import { CHANGES, SWEEP, SWEEP_MS_MAX } from "../../helpers/store_sweep.ts";
import { type StoreVerb, storeVerbs, verbImages } from "../../helpers/store_verbs.ts";
import { layerTrees, violationsAfter } from "../../helpers/store_violations.ts";

const KIND = (process.env["BUNKER_DISK"] ?? "ext4") as DiskKind;
const NEEDS = [...PULL_NEEDS, "program strace", `program mkfs.${KIND}`, "loop devices"] as const;

/** Commands that change the store, and how many points a sample has of each. */
const POINTS: Readonly<Record<string, number>> = {
  pull: 6,
  "pull of a tag that means another image": 4,
  load: 2,
  import: 2,
  rmi: 2,
  "image prune": 2,
};
/** They write elsewhere, or mount what is on the disk. */
const ELSEWHERE = /^(?:login|logout|push|copy|export|save)$|mount/;
/** What they bring is there to stay. */
const LASTING = ["pull", "load", "import", "tag"];

describe(`a power loss (${KIND})`, () => {
  const isHit = (name: string): boolean => (SWEEP === "" ? name in POINTS : !ELSEWHERE.test(name));
  for (const verb of storeVerbs.filter(({ name }) => isHit(name))) {
    kernelTest(
      `in the middle of ${verb.name} leaves a whole store, and what comes next works`,
      NEEDS,
      async (sandbox) => {
        await using place = new PullPlace(sandbox, verbImages);

        expect(await sweep(place, verb, POINTS[verb.name] ?? 0)).toEqual({});
      },
      SWEEP_MS_MAX,
    );
  }

  for (const verb of storeVerbs.filter(({ name }) => LASTING.includes(name))) {
    kernelTest(
      `after ${verb.name} loses nothing of it`,
      NEEDS,
      async (sandbox) => {
        await using place = new PullPlace(sandbox, verbImages);
        const disk = new DiskPlace(place, KIND);
        await disk.make("now");

        await disk.with("now", async () => {
          await verb.before(place);
          await place.bunker(verb.words(place), { env: verb.env?.(place) ?? {} });
          await disk.copy("now", "then");
        });

        await disk.with("then", async () => {
          const check = await place.bunker(["system", "check", "--full"]);
          const { stdout } = await place.bunker(["images", "--format", "{{.Repository}}:{{.Tag}}"]);
          expect(check).toMatchObject({ exitCode: 0, stderr: "" });
          expect(stdout.trim().split("\n").sort()).toEqual([...verb.names(place)].sort());
        });
      },
      SWEEP_MS_MAX,
    );
  }
});

/** @returns what is wrong, by the point */
async function sweep(place: PullPlace, verb: StoreVerb, count: number): Promise<object> {
  const disk = new DiskPlace(place, KIND);
  const env = verb.env?.(place) ?? {};
  await disk.make("empty");
  await disk.with("empty", () => verb.before(place));
  await disk.copy("empty", "full");
  const { points, trees } = await disk.with("full", async () => {
    const all = await storePoints(place, verb.words(place), env);
    return { points: all.filter(({ name }) => CHANGES.test(name)), trees: layerTrees(place) };
  });
  const findings: Record<string, readonly string[]> = {};
  for (const [index, point] of chosen(points, count).entries()) {
    await disk.copy("empty", "now");
    await disk.with("now", async () => {
      await runAtPoint(place, verb.words(place), { point, fault: "signal=KILL", env });
      if (index % 2 === 0) await disk.commitJournal();
      await disk.copy("now", "then");
    });
    const wrong = await disk.with("then", () => violationsAfter(place, verb, { trees }));
    if (wrong.length > 0) findings[describePoint(point)] = wrong;
  }
  return findings;
}

/** From the first flush on: before it nothing has a name. */
function chosen(points: readonly Point[], count: number): readonly Point[] {
  const first = points.findIndex(({ name }) => /sync/.test(name));
  const late = points.slice(Math.max(0, first - 1));
  return SWEEP === "full" ? points : spread(late, Math.min(count, late.length));
}
