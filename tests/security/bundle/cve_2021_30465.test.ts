/**
 * CVE-2021-30465, CVE-2024-45310: a container that shares a volume with another exchanges the place of a mount for a link
 * while the other is created, so that the mount, or the directory that is made for it, lands on the host.
 */
import { describe, expect } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { attackTest, bind, flip } from "../../helpers/attack.ts";
import { raceFor } from "../../helpers/race.ts";
import { MOUNTS } from "../../helpers/runtime_bundle.ts";

const RACE_MS = 4000;

const KINDS = {
  "a bind mount": (other: string) => bind(other, "/shared/place/x"),
  "a tmpfs": () => ({ destination: "/shared/place/x", type: "tmpfs", source: "tmpfs" }),
  "a device": () => undefined,
} as const;

describe("what is made in a volume that another container changes", () => {
  for (const missing of [false, true]) {
    for (const [kind, mountOf] of Object.entries(KINDS)) {
      const what = missing ? `what is missing for ${kind}` : kind;
      attackTest(`never lets ${what} land outside`, async ({ runtime, sandbox, outside, linkTo }) => {
        const [shared, other] = ["shared", "other"].map((name) => `${sandbox.directory}/${name}`) as [
          string,
          string,
        ];
        for (const path of [shared, other, `${shared}/place`]) mkdirSync(path);
        if (!missing) mkdirSync(`${shared}/place/x`);
        writeFileSync(`${other}/inner`, "inner\n");
        // Outside has an "x" already: a mount could land there, or on a path that is made below it.
        symlinkSync(linkTo(missing ? `${outside}/dev` : outside), `${shared}/link`);
        const mount = mountOf(other);
        const mounts = [...MOUNTS, bind(shared, "/shared"), ...(mount === undefined ? [] : [mount])];
        const device = { path: "/shared/place/node", type: "c", major: 1, minor: 3 };
        const bundle = await runtime.bundle({
          sh: "exit 0",
          mounts,
          ...(mount === undefined ? { linux: { devices: [device] } } : {}),
        });
        await using attacker = await flip(shared, "place", "link");

        let [runs, built] = [0, 0];
        const run = async (): Promise<void> => {
          const { exitCode } = await runtime.run(bundle);
          if (exitCode === 0) built++;
          runs++;
        };
        await raceFor(RACE_MS / 2, run, () => runs > 5 && built > 0);

        expect(attacker.exitCode).toBeNull();
      });
    }
  }
});
