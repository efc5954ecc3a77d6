/**
 * A system call of a command that works on the store fails: the command says so in one message or does without, and leaves
 * what a kill may leave. A close(2) that fails is none of these faults: the kernel lets go of the descriptor all the same,
 * strace does not.
 */
import { describe, expect } from "bun:test";
import { PULL_NEEDS, PullPlace } from "../../helpers/pull_place.ts";
import { kernelTest } from "../../helpers/sandbox.ts";
import { FAULTS, SWEEP, SWEEP_MS_MAX, sweepVerb } from "../../helpers/store_sweep.ts";
import { storeVerbs, verbImages } from "../../helpers/store_verbs.ts";

/** Verbs of which a failing call tells something that no other does, and how many points each is hit at. */
const POINTS: Readonly<Record<string, number>> = {
  pull: 10,
  "pull of a large layer": 6,
  load: 10,
  rmi: 5,
  tag: 3,
  save: 3,
  push: 2,
  import: 4,
  "pull of layers that become files": 4,
};

describe("a system call that fails in", () => {
  for (const verb of storeVerbs.filter(({ name }) => SWEEP !== "" || name in POINTS)) {
    for (const [fault, calls] of FAULTS) {
      kernelTest(
        `${verb.name} (${fault}) is told in one message, and leaves a whole store`,
        [...PULL_NEEDS, "program strace"],
        async (sandbox) => {
          await using place = new PullPlace(sandbox, verbImages);

          const sweep = { fault, calls, count: POINTS[verb.name] ?? 0 };
          const { findings, hits } = await sweepVerb(place, verb, sweep);

          expect(findings).toEqual({});
          expect(hits).toBeGreaterThan(1);
        },
        SWEEP_MS_MAX,
      );
    }
  }
});
