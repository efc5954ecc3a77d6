/** `info` on the real machine: what it says is so, and it leaves nothing behind. */
import { describe, expect } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { release } from "node:os";
import { kernelTest } from "../../helpers/sandbox.ts";
import { App, RUN_NEEDS } from "./app.ts";

const program = "bun run src/main.ts";
type Known = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

describe("bunker info", () => {
  kernelTest("makes no directory and leaves none, on a machine without data", RUN_NEEDS, async (sandbox) => {
    const { exitCode, stderr } = await sandbox.bunker(["info"], { program });

    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(readdirSync(sandbox.directory)).toEqual([]);
  });

  kernelTest("leaves nothing among the data that is there", RUN_NEEDS, async (sandbox) => {
    await App.install(sandbox);
    const before = readdirSync(sandbox.root).sort();

    await sandbox.bunker(["info"], { program });

    expect(readdirSync(sandbox.root).sort()).toEqual(before);
  });

  kernelTest("shows the machine, the network of the host and the directories", RUN_NEEDS, async (sandbox) => {
    const { stdout } = await sandbox.bunker(["info", "--format", "json"], { program });

    const known = JSON.parse(stdout) as Known;
    expect(known["Engine"]).toMatchObject({ kernel: release() });
    expect(known["Network"]).toEqual({ default: { value: "host", reason: "private networks come later" } });
    expect(known["Users"]).toEqual({ mode: "root" });
    expect(known["Directories"]).toEqual({ data: sandbox.root, state: sandbox.state });
  });

  kernelTest("calls limits available that a run can set", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const { stdout } = await sandbox.bunker(["info", "--format", "json"], { program });

    const limits = (JSON.parse(stdout) as Known)["Limits"] ?? {};
    for (const [flag, value] of [
      ["--memory", "64m"],
      ["--cpus", "1"],
      ["--pids-limit", "50"],
    ] as const) {
      const { exitCode } = await app.run([flag, value], ["/bin/true"]);
      expect({ flag, works: exitCode === 0 }).toEqual({ flag, works: limits[flag] === "available" });
    }
    expect(limits["cgroup version"]).toBe(existsSync("/sys/fs/cgroup/cgroup.controllers") ? 2 : 1);
  });
});
