/**
 * Of two commands that do the same at once one is killed before any of its system calls, in the middle of whatever it holds: the
 * other takes over. BUNKER_SWEEP=full hits every call that changes something.
 */
import { describe, expect } from "bun:test";
import { PULL_NEEDS, PullPlace } from "../../helpers/pull_place.ts";
import { kernelTest } from "../../helpers/sandbox.ts";
import { CHANGES, SWEEP, SWEEP_MS_MAX, sweepRival } from "../../helpers/store_sweep.ts";
import { storeVerbs, verbImages } from "../../helpers/store_verbs.ts";

/** How many points a sample has of each. */
const POINTS: Readonly<Record<string, number>> = {
  pull: 5,
  load: 3,
  rmi: 2,
  import: 2,
  copy: 2,
  "pull of a tag that means another image": 2,
};
/** They have nothing to do for a second. */
const ALONE = /^(?:logout|image unmount|push|export|save)$/;

describe("a command that is killed while another waits for it", () => {
  for (const verb of storeVerbs.filter(({ name }) => (SWEEP === "" ? name in POINTS : !ALONE.test(name)))) {
    kernelTest(
      `lets the other take over in ${verb.name}`,
      [...PULL_NEEDS, "program strace"],
      async (sandbox) => {
        await using place = new PullPlace(sandbox, verbImages);

        const sweep = { calls: CHANGES, count: POINTS[verb.name] ?? 0 };
        const { findings, failed } = await sweepRival(place, verb, sweep);

        expect(findings).toEqual({});
        expect(failed).toBeGreaterThan(0);
      },
      SWEEP_MS_MAX,
    );
  }
});
