/**
 * bunker is killed before each system call of each command that works on the store. BUNKER_SWEEP=full hits every one of
 * them, which takes an hour; otherwise a sample, the same each time.
 */
import { describe, expect } from "bun:test";
import { PULL_NEEDS, PullPlace } from "../../helpers/pull_place.ts";
import { kernelTest } from "../../helpers/sandbox.ts";
import { CHANGES, SWEEP_MS_MAX, sweepVerb } from "../../helpers/store_sweep.ts";
import { storeVerbs, verbImages } from "../../helpers/store_verbs.ts";

const POINTS = 12;

describe("kill -9 in the middle of", () => {
  for (const verb of storeVerbs) {
    kernelTest(
      `${verb.name} leaves a whole store, and what comes next works`,
      [...PULL_NEEDS, "program strace"],
      async (sandbox) => {
        await using place = new PullPlace(sandbox, verbImages);

        const sweep = { fault: "signal=KILL", calls: CHANGES, count: verb.sample ?? POINTS } as const;
        const { findings, hits, failed } = await sweepVerb(place, verb, sweep);

        expect(findings).toEqual({});
        expect(failed).toBeGreaterThan(hits / 2);
      },
      SWEEP_MS_MAX,
    );
  }
});
