/**
 * Of two commands that do the same at once one is killed, or fails, at any of its system calls, in the middle of whatever it holds:
 * the other takes over. BUNKER_SWEEP=full hits every call that changes something.
 */
import { describe, expect } from "bun:test";
import { PULL_NEEDS, PullPlace } from "../../helpers/pull_place.ts";
import { kernelTest } from "../../helpers/sandbox.ts";
import { CHANGES, FAULTS, SWEEP, SWEEP_MS_MAX, sweepRival } from "../../helpers/store_sweep.ts";
import { storeVerbs, verbImages } from "../../helpers/store_verbs.ts";

/** How many points a sample has of each. */
const POINTS: Readonly<Record<string, number>> = {
  pull: 6,
  load: 4,
  rmi: 2,
  import: 2,
  copy: 2,
  "pull of a tag that means another image": 2,
};
const ENDINGS = [
  ["killed", CHANGES],
  ["failed", FAULTS[0][1]],
] as const;
/** They have nothing to do for a second. */
const ALONE = /^(?:logout|image unmount|push|export|save)$/;

describe("a command that ends while another waits for it", () => {
  for (const verb of storeVerbs.filter(({ name }) => (SWEEP === "" ? name in POINTS : !ALONE.test(name)))) {
    for (const [ending, calls] of ENDINGS) {
      kernelTest(
        `lets the other take over in ${verb.name} when it ${ending === "killed" ? "is killed" : "fails"}`,
        [...PULL_NEEDS, "program strace"],
        async (sandbox) => {
          await using place = new PullPlace(sandbox, verbImages);

          const sweep = { ending, calls, count: Math.ceil((POINTS[verb.name] ?? 0) / 2) };
          const { findings, failed } = await sweepRival(place, verb, sweep);

          expect(findings).toEqual({});
          expect(failed).toBeGreaterThan(0);
        },
        SWEEP_MS_MAX,
      );
    }
  }
});
