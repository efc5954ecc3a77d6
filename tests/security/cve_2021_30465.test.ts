/**
 * CVE-2021-30465, CVE-2024-45310: a container that shares a volume with another exchanges the place of a mount for a link
 * while the other is built, so that the mount, or the directory that is made for it, lands on the host.
 */
import { describe, expect } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { raceFor } from "../helpers/race.ts";
import { kernelTest } from "../helpers/sandbox.ts";
import { App, RUN_NEEDS } from "../kernel/run/app.ts";

const RACE_MS = 5000;
const TEST_MS_MAX = 120_000;

describe("a mount into a volume that another container changes", () => {
  for (const missing of [false, true]) {
    const what = missing ? "directories that are made for it" : "it";
    kernelTest(
      `never lets ${what} land outside of the container`,
      RUN_NEEDS,
      async (sandbox) => {
        const app = await App.install(sandbox);
        const [shared, other, outside] = ["shared", "other", "outside"].map(
          (name) => `${sandbox.directory}/${name}`,
        ) as [string, string, string];
        for (const path of [shared, other, outside, `${shared}/place`]) mkdirSync(path);
        if (!missing) for (const path of [`${shared}/place/x`, `${outside}/x`]) mkdirSync(path);
        writeFileSync(`${outside}/marker`, "marker\n");
        // Absolute and upwards: in the container's root and in the host's it would lead to the same place.
        symlinkSync(`../../../../../../../..${outside}`, `${shared}/link`);
        const before = snapshot(outside);
        const mountsBefore = readFileSync("/proc/self/mountinfo", "utf8");
        await using attacker = await flip(shared, "place", "link");

        let [runs, built] = [0, 0];
        const run = async (): Promise<void> => {
          const { exitCode } = await app.run(
            ["-v", `${shared}:/shared`, "-v", `${other}:/shared/place/x`],
            ["/bin/sh", "-c", "exit 0"],
          );
          if (exitCode === 0) built++;
          runs++;
          expect(snapshot(outside)).toEqual(before);
        };
        await raceFor(RACE_MS, run, () => runs > 10 && built > 0);

        expect(attacker.exitCode).toBeNull();
        expect(readFileSync("/proc/self/mountinfo", "utf8")).toBe(mountsBefore);
      },
      TEST_MS_MAX,
    );
  }
});

/** Names and contents of a directory, two levels deep. */
function snapshot(path: string): readonly string[] {
  return readdirSync(path, { recursive: true, encoding: "utf8" }).sort();
}

/** Starts the attacker, which is ended when disposed of. */
async function flip(directory: string, name: string, other: string) {
  const script = new URL("../helpers/flip.ts", import.meta.url).pathname;
  const child = Bun.spawn([process.execPath, script, directory, name, other], {
    stdin: "pipe",
    stdout: "pipe",
  });
  const output = child.stdout[Symbol.asyncIterator]();
  await output.next();
  return {
    get exitCode() {
      return child.exitCode;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}
