/**
 * A system call of a command that only reads the store fails: the command says so in one message, or does without and says what
 * it says otherwise. BUNKER_SWEEP=full hits every call that such a fault can meet.
 */
import { describe, expect } from "bun:test";
import { type Fault, type Point, spread } from "../../helpers/faults.ts";
import { PULL_NEEDS, PullPlace } from "../../helpers/pull_place.ts";
import { kernelTest } from "../../helpers/sandbox.ts";
import { describePoint, runAtPoint, storePoints } from "../../helpers/store_faults.ts";
import { FAULTS, SWEEP, SWEEP_MS_MAX, wrongIn } from "../../helpers/store_sweep.ts";
import { verbImages } from "../../helpers/store_verbs.ts";

/** Of each fault. */
const POINTS = 2;
/** Nothing is written. */
const READ_FAULTS = FAULTS.filter(([fault]) => fault !== "error=ENOSPC");
/** A layer whose record cannot be read has no size to tell, as one whose record is missing. */
const TELLS_SIZES = /^(?:history|image tree|system df)/;

/** Commands, with IMAGE for the image's name. */
const COMMANDS = [
  "images --digests",
  "history IMAGE",
  "inspect IMAGE",
  "image ls -lR IMAGE /",
  "image which IMAGE /etc/shared",
  "image tree IMAGE",
  "system df",
  "system check --full",
  "save IMAGE",
  "export IMAGE",
];

describe("a system call that fails in", () => {
  for (const command of COMMANDS) {
    kernelTest(
      `${command} is told in one message, or tells nothing`,
      [...PULL_NEEDS, "program strace"],
      async (sandbox) => {
        await using place = new PullPlace(sandbox, verbImages);
        await place.pull("one");
        await place.pull("two:7");
        const words = command.split(" ").map((word) => (word === "IMAGE" ? place.name("two:7") : word));

        const { findings, failed } = await sweep(place, words);

        const after = await place.bunker(["system", "check", "--full", "--repair"]);
        expect(findings).toEqual({});
        expect(failed).toBeGreaterThan(0);
        expect(after).toMatchObject({ exitCode: 0, stderr: "" });
      },
      SWEEP_MS_MAX,
    );
  }
});

async function sweep(place: PullPlace, words: readonly string[]) {
  const points = await storePoints(place, words);
  const { stdout } = await place.bunker(words);
  if (stdout === "") throw new Error("it prints nothing");
  const findings: Record<string, readonly string[]> = {};
  let [hits, failed] = [0, 0];
  for (const [fault, calls] of READ_FAULTS) {
    const all = points.filter(({ name }) => calls.test(name));
    for (const point of SWEEP === "full" ? all : spread(all, Math.min(POINTS, all.length))) {
      const { wrong, hasFailed } = await hit(place, words, { point, fault, stdout });
      hits += 1;
      if (hasFailed) failed += 1;
      if (wrong.length > 0) findings[`${fault}: ${describePoint(point)}`] = wrong;
    }
  }
  if (SWEEP !== "") console.log(`${words.join(" ")}: ${hits} points, ${failed} failed`);
  return { findings, failed };
}

interface Hit {
  readonly point: Point;
  readonly fault: Fault;
  /** What it prints without a fault. */
  readonly stdout: string;
}

async function hit(place: PullPlace, words: readonly string[], { point, fault, stdout }: Hit) {
  const result = await runAtPoint(place, words, { point, fault });
  // What it looks for.
  const hasFound =
    words[1] === "check" && result.exitCode === 1 && result.stderr === "" && result.stdout !== "";
  if (result.exitCode !== 0) return { wrong: hasFound ? [] : wrongIn(result, point), hasFailed: true };
  const hasLost = fault === "error=EIO" && TELLS_SIZES.test(words.join(" "));
  const wrong =
    hasLost || steady(result.stdout) === steady(stdout) ? [] : [`${result.stdout} ${result.stderr}`];
  return { wrong, hasFailed: false };
}

/** Without what others change meanwhile. */
const steady = (text: string): string => text.replace(/^Left on the disk: .*$/m, "");
