/** GHSA-3q8j-pf29-vwv8: read-only and masked paths were resolved again for each system call, so that they could be swapped. */
import { describe, expect } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { attackTest, bind, flip } from "../../helpers/attack.ts";
import { raceFor } from "../../helpers/race.ts";
import { MOUNTS } from "../../helpers/runtime_bundle.ts";

const RACE_MS = 3000;

describe("paths of a volume that is swapped meanwhile", () => {
  for (const field of ["readonlyPaths", "maskedPaths"] as const) {
    attackTest(`never leave a mount of ${field} half made`, async ({ runtime, sandbox }) => {
      const volume = `${sandbox.directory}/volume`;
      for (const name of ["one", "other"]) {
        mkdirSync(`${volume}/${name}/inner`, { recursive: true });
        writeFileSync(`${volume}/${name}/inner/file`, `${name}\n`);
      }
      const bundle = await runtime.bundle({
        // What is mounted is read-only; if it was moved meanwhile, it is so at its other name.
        sh: "grep -c ' /volume/' /proc/self/mounts; grep ' /volume/' /proc/self/mounts | cut -d' ' -f4 | cut -d, -f1",
        mounts: [...MOUNTS, bind(volume, "/volume")],
        linux: { [field]: ["/volume/one/inner"] },
      });
      await using attacker = await flip(volume, "one", "other");

      let built = 0;
      const run = async (): Promise<void> => {
        const { exitCode, stdout } = await runtime.run(bundle);
        if (exitCode !== 0) return;
        built++;
        expect(stdout).toBe("1\nro\n");
      };
      await raceFor(RACE_MS, run, () => built > 0);

      expect(attacker.exitCode).toBeNull();
    });
  }
});
