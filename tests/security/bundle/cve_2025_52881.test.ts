/**
 * CVE-2025-52881, CVE-2025-62596, CVE-2025-65105, CVE-2025-64750: what the runtime writes to /proc was redirected to another
 * file of procfs, by a mount in the container's /proc or by a link that leads there.
 */
import { describe, expect } from "bun:test";
import { mkdirSync, symlinkSync } from "node:fs";
import { attackTest, bind, flip } from "../../helpers/attack.ts";
import { raceFor } from "../../helpers/race.ts";
import { MOUNTS, NAMESPACES } from "../../helpers/runtime_bundle.ts";

const RACE_MS = 4000;
const MOUNTED = "grep -E ' /proc/|/attr|/sys/kernel' /proc/self/mounts; true";

describe("a volume with a link to /proc", () => {
  for (const [target, rest] of [
    ["/proc/self", "attr"],
    ["/proc", "sys/kernel"],
    ["/proc", "self/attr/exec"],
    ["../proc/sys/kernel", "core_pattern"],
  ] as const) {
    attackTest(`lets no mount on ${rest} through ${target} happen`, async ({ runtime, sandbox, outside }) => {
      const volume = `${sandbox.directory}/volume`;
      mkdirSync(volume);
      symlinkSync(target, `${volume}/link`);
      const source = rest.includes("/") || rest === "attr" ? outside : `${outside}/marker`;
      const mounts = [...MOUNTS, bind(volume, "/volume"), bind(source, `/volume/link/${rest}`)];

      const { exitCode, stdout } = await runtime.run(await runtime.bundle({ sh: MOUNTED, mounts }));

      expect({ refused: exitCode !== 0, stdout }).toEqual({ refused: true, stdout: "" });
    });
  }

  attackTest("that comes and goes lets no mount happen there", async ({ runtime, sandbox, outside }) => {
    const volume = `${sandbox.directory}/volume`;
    mkdirSync(`${volume}/place/attr`, { recursive: true });
    symlinkSync("/proc/self", `${volume}/link`);
    const mounts = [...MOUNTS, bind(volume, "/volume"), bind(outside, "/volume/place/attr")];
    const bundle = await runtime.bundle({ sh: "grep ' /proc/' /proc/self/mounts; true", mounts });
    await using attacker = await flip(volume, "place", "link");

    let built = 0;
    const run = async (): Promise<void> => {
      const { exitCode, stdout } = await runtime.run(bundle);
      expect(stdout).toBe("");
      if (exitCode === 0) built++;
    };
    await raceFor(RACE_MS, run, () => built > 0);

    expect(attacker.exitCode).toBeNull();
  });
});

describe("sysctls and attributes", () => {
  attackTest("reach the files they are meant for while a volume changes", async ({ runtime, sandbox }) => {
    const volume = `${sandbox.directory}/volume`;
    mkdirSync(`${volume}/place`, { recursive: true });
    symlinkSync("/proc/sys/kernel", `${volume}/link`);
    const namespaces = [...NAMESPACES, { type: "network" }];
    const bundle = await runtime.bundle({
      sh: "cat /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_forward /proc/self/oom_score_adj",
      mounts: [...MOUNTS, bind(volume, "/volume")],
      process: { oomScoreAdj: 321 },
      linux: { namespaces, sysctl: { "kernel.msgmax": "4711", "net.ipv4.ip_forward": "1" } },
    });
    await using attacker = await flip(volume, "place", "link");

    let runs = 0;
    const run = async (): Promise<void> => {
      expect(await runtime.outputOf(bundle)).toBe("4711\n1\n321\n");
      runs++;
    };
    await raceFor(RACE_MS / 2, run, () => runs > 5);

    expect(attacker.exitCode).toBeNull();
  });

  attackTest("are not written through what the root has in /proc", async ({ runtime, linkTo, outside }) => {
    const bundle = await runtime.bundle({
      sh: "cat /proc/sys/kernel/msgmax",
      linux: { sysctl: { "kernel.msgmax": "4712" } },
    });
    mkdirSync(`${bundle.root}/proc/sys`, { recursive: true });
    symlinkSync(linkTo(`${outside}/sys/kernel`), `${bundle.root}/proc/sys/kernel`);

    expect(await runtime.outputOf(bundle)).toBe("4712\n");
  });
});
