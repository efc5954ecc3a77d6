/**
 * The sweeps of tests/kernel/image for an ordinary user, with ranges of ids and without: there are two processes then, one of
 * them in a user namespace, and either may be killed, or have a call fail.
 */
import { describe, expect } from "bun:test";
import { refusalOf } from "../helpers/pull_place.ts";
import { ROOTLESS_NEEDS, sharedPlace } from "../helpers/rootless_place.ts";
import { kernelTest } from "../helpers/sandbox.ts";
import { CHANGES, FAULTS, SWEEP, SWEEP_MS_MAX, sweepVerb } from "../helpers/store_sweep.ts";
import { storeVerbs, verbImages } from "../helpers/store_verbs.ts";
import { UserPlace } from "../helpers/user_place.ts";

/** What an ordinary user does otherwise than root, and how many points each is hit at. */
const POINTS: Readonly<Record<string, number>> = {
  pull: 6,
  load: 3,
  rmi: 3,
  import: 3,
  "repair of damage": 2,
};
/** The same for calls that fail, each in a few ways. */
const FAULT_POINTS: Readonly<Record<string, number>> = { pull: 2 };
const KINDS = SWEEP === "" ? ["with id ranges"] : ["with id ranges", "with one id"];

/** Where the kernel tells the process id of a child that waits for its ids: a file whose number no test can know. */
const CHILD_FILES = Array.from({ length: 60 }, (_, fd) => ["-P", `/proc/self/fdinfo/${fd}`]).flat();

/** Those of the first process of a pull. */
const FCNTL_CALLS = 4;

const place = sharedPlace();

describe("a process that waits for the ids of its user namespace", () => {
  for (const fault of ["signal=KILL", "error=EMFILE"]) {
    kernelTest(
      `ends when its engine does (${fault})`,
      [...ROOTLESS_NEEDS, "program strace"],
      async (sandbox) => {
        const { executable, ranged } = place();
        await using users = new UserPlace(sandbox, verbImages, { uid: ranged.uid, executable });
        const inject = ["-e", "trace=openat", ...CHILD_FILES, "-e", `inject=openat:${fault}:when=1`];

        const { exitCode } = await users.bunker(["pull", "-q", users.name("one")], {
          wrapper: ["strace", "-f", "-qq", "-o", "/dev/null", ...inject],
        });

        // It holds the outputs, whose end is waited for.
        expect(exitCode).not.toBe(0);
      },
    );
  }
});

describe("a process in a user namespace that cannot be heard", () => {
  kernelTest("is ended, and that is told", [...ROOTLESS_NEEDS, "program strace"], async (sandbox) => {
    const { executable, ranged } = place();
    await using users = new UserPlace(sandbox, verbImages, { uid: ranged.uid, executable });
    const pull = ["pull", "-q", users.name("one")];

    const refusals: (string | undefined)[] = [];
    // One of these makes the descriptor from which Bun reads what is told.
    for (let when = 1; when <= FCNTL_CALLS; when += 1) {
      const inject = ["-e", "trace=fcntl", "-e", `inject=fcntl:error=EMFILE:when=${when}`];
      const result = await users.bunker(pull, { wrapper: ["strace", "-qq", "-o", "/dev/null", ...inject] });
      if (result.exitCode === 0) continue;
      const { message, because } = refusalOf(result);
      refusals.push([message, ...because].find((line) => line.includes("EMFILE")));
    }

    expect(refusals.length).toBeGreaterThan(0);
    expect(refusals).not.toContain(undefined);
    expect(await users.bunker(pull)).toMatchObject({ exitCode: 0 });
  });
});

describe("as an ordinary user", () => {
  const verbs = storeVerbs.filter(({ name }) => name in POINTS);
  for (const kind of KINDS) {
    const user = () => ({
      uid: kind === "with one id" ? place().single().uid : place().ranged.uid,
      executable: place().executable,
    });
    for (const verb of verbs) {
      kernelTest(
        `kill -9 in the middle of ${verb.name} leaves a whole store: ${kind}`,
        [...ROOTLESS_NEEDS, "program strace"],
        async (sandbox) => {
          await using users = new UserPlace(sandbox, verbImages, user());

          const sweep = { fault: "signal=KILL", calls: CHANGES, count: POINTS[verb.name] ?? 0 } as const;
          const { findings, failed } = await sweepVerb(users, verb, sweep);

          expect(findings).toEqual({});
          expect(failed).toBeGreaterThan(0);
        },
        SWEEP_MS_MAX,
      );
    }
    for (const verb of storeVerbs.filter(({ name }) => name in (SWEEP === "" ? FAULT_POINTS : POINTS))) {
      for (const [fault, calls] of FAULTS) {
        kernelTest(
          `a system call that fails in ${verb.name} (${fault}) is told in one message: ${kind}`,
          [...ROOTLESS_NEEDS, "program strace"],
          async (sandbox) => {
            await using users = new UserPlace(sandbox, verbImages, user());

            const sweep = { fault, calls, count: FAULT_POINTS[verb.name] ?? 0 };
            const { findings, hits } = await sweepVerb(users, verb, sweep);

            expect(findings).toEqual({});
            expect(hits).toBeGreaterThan(0);
          },
          SWEEP_MS_MAX,
        );
      }
    }
  }
});
