/** Containers whose control groups are systemd's: `--systemd-cgroup`. */
import { describe, expect } from "bun:test";
import { readFileSync } from "node:fs";
import { Runtime } from "../../helpers/oci_runtime.ts";
import type { Need } from "../../helpers/requires.ts";
import { kernelTest } from "../../helpers/sandbox.ts";

const NEEDS: readonly Need[] = ["root", "cgroup v2", "systemd", "the executable"];
const MB = 1 << 20;

const loadState = (unit: string): string =>
  Bun.spawnSync(["systemctl", "show", "--value", "--property", "LoadState", unit]).stdout.toString().trim();

const patchOf = (name: string, sh: string) => ({
  sh,
  linux: {
    cgroupsPath: `bunkertest.slice:box:${name}`,
    resources: { memory: { limit: 64 * MB }, pids: { limit: 20 } },
  },
});

describe("a container of --systemd-cgroup", () => {
  kernelTest("runs in a scope, which goes with it", NEEDS, async (sandbox) => {
    await using runtime = new Runtime("bunker", sandbox);
    const bundle = await runtime.bundle(patchOf("run", "cat /proc/self/cgroup"));

    const { exitCode, stdout, stderr } = await runtime.command(
      ...["--systemd-cgroup", "run", "--bundle", bundle.directory, bundle.id],
    );

    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toBe("0::/bunkertest.slice/box-run.scope\n");
    expect(loadState("box-run.scope")).toBe("not-found");
  });

  kernelTest("is limited, executed in, paused and deleted", NEEDS, async (sandbox) => {
    await using runtime = new Runtime("bunker", sandbox);
    const bundle = await runtime.bundle(patchOf("detached", "sleep 60"));
    const create = ["--systemd-cgroup", "create", "--bundle", bundle.directory, bundle.id];
    expect(await runtime.detached(bundle, ...create)).toEqual({ exitCode: 0, messages: "" });
    await runtime.command("start", bundle.id);
    const group = "/sys/fs/cgroup/bunkertest.slice/box-detached.scope";

    expect(readFileSync(`${group}/memory.max`, "utf8")).toBe(`${64 * MB}\n`);
    expect(readFileSync(`${group}/pids.max`, "utf8")).toBe("20\n");
    const executed = await runtime.command("exec", bundle.id, "cat", "/proc/self/cgroup");
    expect(executed.stdout).toContain("/box-detached.scope");
    expect((await runtime.command("update", "--pids-limit", "9", bundle.id)).exitCode).toBe(0);
    expect(readFileSync(`${group}/pids.max`, "utf8")).toBe("9\n");
    expect((await runtime.command("pause", bundle.id)).exitCode).toBe(0);
    expect(readFileSync(`${group}/cgroup.freeze`, "utf8")).toBe("1\n");
    expect(await runtime.command("delete", "--force", bundle.id)).toMatchObject({ exitCode: 0 });
    expect(loadState("box-detached.scope")).toBe("not-found");
  });
});
