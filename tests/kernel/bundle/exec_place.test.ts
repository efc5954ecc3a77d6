/** Where a process of exec runs: its processors, its control group. */
import { describe, expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { MOUNTS } from "../../helpers/runtime_bundle.ts";
import { bundleTest } from "../../helpers/runtime_test.ts";

describe("a process of exec", () => {
  bundleTest("begins on the processors of execCPUAffinity.initial, which must be there", async (runtime) => {
    const { id } = await runtime.start({ sh: "exec sleep 60" });
    const file = `${runtime.directory}/process.json`;
    const process = { user: { uid: 0, gid: 0 }, cwd: "/", args: ["/bin/true"] };
    const exec = async (initial: string) => {
      writeFileSync(file, JSON.stringify({ ...process, execCPUAffinity: { initial } }));
      return runtime.command("exec", "--process", file, id);
    };

    const [present, absent] = [await exec("0"), await exec("4095")];

    expect([present.exitCode, absent.exitCode]).toEqual([0, 255]);
    expect(absent.stderr).toContain("bind to the processors 4095");
  });

  bundleTest(
    "goes to the group of the first process where the container's own can hold none",
    async (runtime) => {
      const group = { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["rw"] };
      const namespaces = ["pid", "ipc", "uts", "mount", "cgroup"].map((type) => ({ type }));
      const container = await runtime.start({
        sh:
          "cd /sys/fs/cgroup; mkdir inner; echo 1 > inner/cgroup.procs; " +
          "echo +pids > cgroup.subtree_control && echo moved; exec sleep 60",
        mounts: [...MOUNTS, group],
        linux: { namespaces, resources: { pids: { limit: 100 } } },
      });
      await container.printed("moved\n");

      expect(await container.sh("cat /proc/self/cgroup")).toMatch(/^0::.*\/inner$/m);
    },
    ["cgroup v2"],
  );
});
