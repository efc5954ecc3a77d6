/** Control groups as a bundle's process sees them. */
import { describe, expect } from "bun:test";
import { readdirSync } from "node:fs";
import { configWith, makeBundle, mountsOf, runInRoot } from "../../helpers/bundle_root.ts";
import { kernelTest } from "../../helpers/sandbox.ts";

const needs = ["root", "program busybox"] as const;
const mount = {
  destination: "/sys/fs/cgroup",
  type: "cgroup",
  source: "cgroup",
  options: ["nosuid", "noexec", "nodev", "ro"],
};
const config = configWith([{ destination: "/sys", type: "sysfs", source: "sysfs" }, mount]);

describe("planCgroupMount()", () => {
  kernelTest(
    "shows hierarchies side by side, with a link for each of several controllers",
    [...needs, "cgroup v1"],
    async ({ directory }) => {
      const bundle = makeBundle(directory);
      const hierarchies = [
        { name: "cpu,cpuacct", hostPath: "/sys/fs/cgroup/cpu" },
        { name: "pids", hostPath: "/sys/fs/cgroup/pids" },
      ];
      const script = "cd /sys/fs/cgroup; ls; readlink cpu; mkdir x; mkdir pids/x; cat /proc/self/mountinfo";

      const { output, failure } = await runInRoot({
        config,
        bundle,
        script,
        request: { cgroup: { kind: "controllers", hierarchies } },
      });

      expect(failure).toBeUndefined();
      expect(output).toStartWith("cpu\ncpu,cpuacct\ncpuacct\npids\ncpu,cpuacct\n");
      expect(output.match(/Read-only file system/g)).toHaveLength(2);
      const mounts = mountsOf(output);
      expect(mounts["/sys/fs/cgroup/pids"]).toMatchObject({
        type: "cgroup",
        options: "ro,nosuid,nodev,noexec,relatime",
      });
      expect(readdirSync("/sys/fs/cgroup/pids")).not.toContain("x");
    },
  );

  kernelTest("shows one group of the unified hierarchy", needs, async ({ directory }) => {
    const bundle = makeBundle(directory);

    const { output, failure } = await runInRoot({
      config,
      bundle,
      script: "ls /sys/fs/cgroup/cgroup.procs",
      request: { cgroup: { kind: "none" } },
    });

    expect(failure).toBeUndefined();
    expect(output).toBe("/sys/fs/cgroup/cgroup.procs\n");
  });
});
