/** Limits of a container: control groups, resource limits; and that they bite. */
import { describe, expect } from "bun:test";
import { type Need, whyMissing } from "../../helpers/requires.ts";
import { kernelTest } from "../../helpers/sandbox.ts";
import { App, RUN_NEEDS } from "./app.ts";

const version = whyMissing(["cgroup v1"]) === undefined ? 1 : 2;
const NEEDS: readonly Need[] = [...RUN_NEEDS, version === 1 ? "cgroup v1" : "cgroup v2"];

/** Where the container reads its own limits. */
const files =
  version === 1
    ? {
        pids: "pids/pids.max",
        memory: "memory/memory.limit_in_bytes",
        cpu: "cpu/cpu.cfs_quota_us",
        stat: "cpu/cpu.stat",
      }
    : { pids: "pids.max", memory: "memory.max", cpu: "cpu.max", stat: "cpu.stat" };

describe("limits of a container", () => {
  kernelTest("are read back as they were given", NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const flags = ["--memory", "64m", "--cpus", "0.5", "--pids-limit", "100"];

    const output = await app.sh(
      `cd /sys/fs/cgroup; cat ${files.memory}; cat ${files.cpu}; cat ${files.pids}`,
      flags,
    );

    expect(output).toBe(`${64 << 20}\n${version === 1 ? "50000" : "50000 100000"}\n100\n`);
  });

  kernelTest("are 2048 processes when nothing is said", NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    expect(await app.sh(`cat /sys/fs/cgroup/${files.pids}`)).toBe("2048\n");
  });

  kernelTest("stop a container that starts too many processes", NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const script = "for i in 1 2 3 4 5 6 7 8 9; do sleep 1000 & done; wait";

    const { stderr } = await app.run(["--pids-limit", "5"], ["/bin/sh", "-c", script]);

    expect(stderr).toContain("can't fork");
  });

  kernelTest("kill a container that takes too much memory", NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const { exitCode } = await app.run(
      ["--memory", "16m"],
      ["/bin/dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"],
    );

    expect(exitCode).toBe(137);
  });

  kernelTest("throttle a container that takes too much processor time", NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const script = `while grep -q '^nr_throttled 0$' /sys/fs/cgroup/${files.stat}; do :; done; echo throttled`;

    expect(await app.sh(script, ["--cpus", "0.1"])).toBe("throttled\n");
  });

  kernelTest("of files and cores are set by --ulimit", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const output = await app.sh("grep -E 'open files|core file' /proc/self/limits", [
      ...["--ulimit", "nofile=100:200"],
      ...["--ulimit", "core=0"],
    ]);

    expect(output).toMatch(/core file size +0 +0 /);
    expect(output).toMatch(/open files +100 +200 /);
  });

  kernelTest("that the kernel refuses are an error that names them", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const { exitCode, stderr } = await app.run(["--ulimit", "nofile=1000000000"], ["/bin/true"]);

    expect(exitCode).toBe(125);
    expect(stderr).toMatch(/^bunker: Cannot .*nofile/);
  });
});
