/** Limits of a group: read back, kept by the kernel, changed. */
import { describe, expect } from "bun:test";
import type { Resources } from "../../../src/oci/bundle/config.ts";
import { freezeCgroup } from "../../../src/runtime/cgroup/freezer.ts";
import { oomKills } from "../../../src/runtime/cgroup/oom.ts";
import { processesIn } from "../../../src/runtime/cgroup/processes.ts";
import { statsIn } from "../../../src/runtime/cgroup/stats.ts";
import { applyResources } from "../../../src/runtime/cgroup/update.ts";
import { GROUP_NEEDS, groupVersion, TestGroup, until } from "../../helpers/group.ts";
import { kernelTest } from "../../helpers/sandbox.ts";

const MB = 1 << 20;
const memoryLimit = { v1: "memory/memory.limit_in_bytes", v2: "memory.max" };
const swapLimit = { v1: "memory/memory.memsw.limit_in_bytes", v2: "memory.swap.max" };
const cpuStat = { v1: "cpu/cpu.stat", v2: "cpu.stat" };
const ROOTED = { rootless: false };

describe("limits of a group", () => {
  kernelTest("are read back as they were given", GROUP_NEEDS, async () => {
    const resources: Resources = {
      memory: { limit: 64 * MB, swap: 96 * MB, reservation: 32 * MB },
      cpu: { shares: 2048, quota: 50_000, period: 200_000, burst: 1000, cpus: "0", mems: "0" },
      pids: { limit: 12 },
    };

    await using group = await TestGroup.make(resources);

    expect(group.read(memoryLimit)).toBe(String(64 * MB));
    expect(group.read(swapLimit)).toBe(String((groupVersion === 1 ? 96 : 32) * MB));
    expect(group.read({ v1: "memory/memory.soft_limit_in_bytes", v2: "memory.low" })).toBe(String(32 * MB));
    expect(group.read({ v1: "cpu/cpu.cfs_quota_us", v2: "cpu.max" })).toBe(
      groupVersion === 1 ? "50000" : "50000 200000",
    );
    expect(group.read({ v1: "cpu/cpu.cfs_burst_us", v2: "cpu.max.burst" })).toBe("1000");
    expect(group.read({ v1: "cpuset/cpuset.cpus", v2: "cpuset.cpus" })).toBe("0");
    expect(group.read({ v1: "pids/pids.max", v2: "pids.max" })).toBe("12");
  });

  kernelTest("bound a fork bomb", GROUP_NEEDS, async () => {
    await using group = await TestGroup.make({ pids: { limit: 10 } });

    const bomb = group.spawn("bomb() { bomb | bomb & }; bomb; sleep 0.5; bomb; wait");
    await until("the limit is reached", () => {
      const events = group.read({ v1: "pids/pids.events", v2: "pids.events" });
      return Number(/max ([0-9]+)/.exec(events)?.[1] ?? 0) > 0;
    });

    // Frozen: one that ends while they are listed makes room for another.
    freezeCgroup(group.place);
    expect(processesIn(group.place).length).toBeLessThanOrEqual(10);
    bomb.kill();
  });

  kernelTest("let no process start another when they are 0", GROUP_NEEDS, async () => {
    await using group = await TestGroup.make({ pids: { limit: 0 } });

    const shell = group.spawn("/bin/true; echo not reached");

    expect(await new Response(shell.stderr).text()).toMatch(/fork/i);
    expect(await shell.exited).not.toBe(0);
  });

  kernelTest("kill what takes too much memory, which is counted", GROUP_NEEDS, async () => {
    await using group = await TestGroup.make({ memory: { limit: 16 * MB, swap: 16 * MB } });
    const before = oomKills(group.place);

    const shell = group.spawn("exec dd if=/dev/zero of=/dev/null bs=64M count=1");
    await shell.exited;

    expect(shell.signalCode).toBe("SIGKILL");
    expect(before).toBe(0);
    expect(oomKills(group.place)).toBeGreaterThan(0);
  });

  kernelTest("hold a busy process back", GROUP_NEEDS, async () => {
    await using group = await TestGroup.make({ cpu: { quota: 5000, period: 100_000 } });

    group.spawn("while :; do :; done");

    await until("the process is throttled", () => /^nr_throttled [1-9]/m.test(group.read(cpuStat)));
  });

  kernelTest("keep a container away from other devices", ["root", "cgroup v1"], async () => {
    await using group = await TestGroup.make({ devices: [{ allow: false, access: "rwm" }] });

    const shell = group.spawn("cat /dev/kmsg & head -c 3 /dev/zero | wc -c; wait");

    expect((await new Response(shell.stdout).text()).trim()).toBe("3");
    expect(await new Response(shell.stderr).text()).toMatch(/not permitted/);
  });
});

describe("applyResources()", () => {
  kernelTest(
    "raises and lowers memory and swap, in whichever order the kernel wants",
    GROUP_NEEDS,
    async () => {
      await using group = await TestGroup.make({ memory: { limit: 64 * MB, swap: 64 * MB } });

      for (const size of [256, 32, 128]) {
        await applyResources(group.place, { memory: { limit: size * MB, swap: size * MB } }, ROOTED);

        expect(group.read(memoryLimit)).toBe(String(size * MB));
        expect(group.read(swapLimit)).toBe(groupVersion === 1 ? String(size * MB) : "0");
      }
    },
  );

  kernelTest("changes quota and period together", GROUP_NEEDS, async () => {
    await using group = await TestGroup.make({ cpu: { quota: 500_000, period: 500_000, burst: 400_000 } });

    await applyResources(group.place, { cpu: { quota: 2000, period: 1000, burst: 0 } }, ROOTED);

    expect(group.read({ v1: "cpu/cpu.cfs_quota_us", v2: "cpu.max" })).toBe(
      groupVersion === 1 ? "2000" : "2000 1000",
    );
  });

  kernelTest("leaves the rest as it is", GROUP_NEEDS, async () => {
    await using group = await TestGroup.make({ memory: { limit: 64 * MB }, pids: { limit: 9 } });

    await applyResources(group.place, { pids: { limit: -1 } }, ROOTED);

    expect(group.read({ v1: "pids/pids.max", v2: "pids.max" })).toBe("max");
    expect(group.read(memoryLimit)).toBe(String(64 * MB));
  });

  kernelTest("changes nothing when one limit is refused", GROUP_NEEDS, async () => {
    await using group = await TestGroup.make({ cpu: { quota: 50_000, period: 100_000, cpus: "0" } });

    const update = applyResources(
      group.place,
      { pids: { limit: 5 }, cpu: { quota: 10_000, burst: 90_000 } },
      ROOTED,
    );

    await expect(update).rejects.toThrow("linux.resources.cpu.burst");
    expect(group.read({ v1: "cpu/cpu.cfs_quota_us", v2: "cpu.max" })).toStartWith("50000");
    expect(group.read({ v1: "pids/pids.max", v2: "pids.max" })).toBe("max");
  });
});

describe("statsIn()", () => {
  kernelTest("tells what the group uses, as JSON", GROUP_NEEDS, async () => {
    await using group = await TestGroup.make({ memory: { limit: 64 * MB }, pids: { limit: 9 } });
    group.spawn("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exec sleep 60");
    await until(
      "it sleeps",
      () =>
        processesIn(group.place).length === 1 &&
        /^(total|usage_usec) [1-9]|[1-9]/m.test(group.read({ v1: "cpuacct/cpuacct.usage", v2: "cpu.stat" })),
    );

    const stats = JSON.parse(JSON.stringify(await statsIn(group.place)));

    expect(stats.pids).toEqual({ current: 1, limit: 9 });
    expect(stats.memory.usage.limit).toBe(64 * MB);
    expect(stats.memory.usage.usage).toBeGreaterThan(0);
    expect(stats.cpu.usage.total).toBeGreaterThan(0);
    expect(stats.cpuset.cpus).toContain(0);
    expect(stats.network_interfaces).toBeNull();
  });

  kernelTest("prints numbers of 64 bits exactly", ["root", "cgroup v1"], async () => {
    await using group = await TestGroup.make();

    expect(JSON.stringify(await statsIn(group.place))).toContain('"limit":9223372036854771712');
  });
});
