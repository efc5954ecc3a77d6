/** config-linux.md, Memory, CPU, Block IO, PIDs, Huge page limits, Network, RDMA, Unified: limits that are set, or refused. */
import { describe, expect } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { CGROUP, hasFile, limitIn, version } from "../helpers/cgroup_files.ts";
import type { Json } from "../helpers/runtime_bundle.ts";
import { conformanceTest } from "./harness.ts";

const limited = (resources: Json): { readonly process: Json; readonly linux: Json } => ({
  process: { args: ["/bin/sleep", "60"] },
  linux: { resources },
});

const MEMORY = { 1: "memory.limit_in_bytes", 2: "memory.max" } as const;
const MIB = 1 << 20;

describe("config-linux.md#memory", () => {
  conformanceTest("limit and reservation are set", CGROUP, async (runtime) => {
    const { bundle } = await runtime.create(limited({ memory: { limit: 64 * MIB, reservation: 32 * MIB } }));

    expect(limitIn(bundle, "memory", MEMORY)).toBe(String(64 * MIB));
    expect(limitIn(bundle, "memory", { 1: "memory.soft_limit_in_bytes", 2: "memory.low" })).toBe(
      String(32 * MIB),
    );
  });

  conformanceTest("limit of -1 is none", CGROUP, async (runtime) => {
    const { bundle } = await runtime.create(limited({ memory: { limit: -1 } }));

    expect(limitIn(bundle, "memory", MEMORY)).toMatch(/^(9223372036854771712|max)$/);
  });

  conformanceTest("swap is the limit of memory and swap together", CGROUP, async (runtime) => {
    const names = { 1: "memory.memsw.limit_in_bytes", 2: "memory.swap.max" } as const;
    if (!hasFile("memory", names)) return;
    const { bundle } = await runtime.create(limited({ memory: { limit: 64 * MIB, swap: 96 * MIB } }));

    expect(limitIn(bundle, "memory", names)).toBe(String((version === 1 ? 96 : 32) * MIB));
  });

  conformanceTest("swappiness and disableOOMKiller are set in version 1", CGROUP, async (runtime) => {
    if (version === 2) return;
    const { bundle } = await runtime.create(
      limited({ memory: { limit: 64 * MIB, swappiness: 30, disableOOMKiller: true } }),
    );

    expect(limitIn(bundle, "memory", { 1: "memory.swappiness", 2: "" })).toBe("30");
    expect(limitIn(bundle, "memory", { 1: "memory.oom_control", 2: "" })).toContain("oom_kill_disable 1");
  });

  conformanceTest("limit ends a process that takes more", CGROUP, async (runtime) => {
    const args = ["/bin/dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"];
    const bundle = await runtime.bundle({
      process: { args },
      linux: { resources: { memory: { limit: 16 * MIB } } },
    });

    expect((await runtime.run(bundle)).exitCode).toBe(137);
  });

  conformanceTest("swappiness out of bounds is refused", CGROUP, async (runtime) => {
    await runtime.refusal(limited({ memory: { swappiness: 101 } }));
  });

  conformanceTest("limit that is no number is refused", CGROUP, async (runtime) => {
    await runtime.refusal(limited({ memory: { limit: "64m" } }));
  });
});

describe("config-linux.md#cpu", () => {
  conformanceTest("shares, quota and period are set", CGROUP, async (runtime) => {
    const { bundle } = await runtime.create(
      limited({ cpu: { shares: 512, quota: 50_000, period: 200_000 } }),
    );

    if (version === 2) {
      expect(limitIn(bundle, "cpu", { 1: "", 2: "cpu.max" })).toBe("50000 200000");
      return;
    }
    const read = (name: string): string => limitIn(bundle, "cpu", { 1: name, 2: name });
    expect(["cpu.shares", "cpu.cfs_quota_us", "cpu.cfs_period_us"].map(read)).toEqual([
      "512",
      "50000",
      "200000",
    ]);
  });

  conformanceTest("cpus and mems are where it runs", CGROUP, async (runtime) => {
    const resources = { cpu: { cpus: "0", mems: "0" } };

    const sh = "grep -E '^(Cpus|Mems)_allowed_list' /proc/self/status | cut -f2 | xargs";

    expect(await runtime.output({ sh, linux: { resources } })).toBe("0 0\n");
  });

  conformanceTest("idle is set where the kernel has it", CGROUP, async (runtime) => {
    const names = { 1: "cpu.idle", 2: "cpu.idle" } as const;
    if (!hasFile("cpu", names)) return;
    const { bundle } = await runtime.create(limited({ cpu: { idle: 1 } }));

    expect(limitIn(bundle, "cpu", names)).toBe("1");
  });

  conformanceTest("burst is set where the kernel has it", CGROUP, async (runtime) => {
    const names = { 1: "cpu.cfs_burst_us", 2: "cpu.max.burst" } as const;
    if (!hasFile("cpu", names)) return;
    const { bundle } = await runtime.create(
      limited({ cpu: { quota: 50_000, period: 100_000, burst: 20_000 } }),
    );

    expect(limitIn(bundle, "cpu", names)).toBe("20000");
  });

  conformanceTest("burst above the quota is refused", CGROUP, async (runtime) => {
    if (!hasFile("cpu", { 1: "cpu.cfs_burst_us", 2: "cpu.max.burst" })) return;
    await runtime.refusal(limited({ cpu: { quota: 50_000, period: 100_000, burst: 60_000 } }));
  });

  conformanceTest("cpus that the machine does not have are refused", CGROUP, async (runtime) => {
    await runtime.refusal(limited({ cpu: { cpus: "4000-4001" } }));
  });
});

describe("config-linux.md#pids", () => {
  const names = { 1: "pids.max", 2: "pids.max" } as const;

  conformanceTest("limit of processes is set", CGROUP, async (runtime) => {
    const { bundle } = await runtime.create(limited({ pids: { limit: 123 } }));

    expect(limitIn(bundle, "pids", names)).toBe("123");
  });

  conformanceTest("limit of -1 processes is none", CGROUP, async (runtime) => {
    const { bundle } = await runtime.create(limited({ pids: { limit: -1 } }));

    expect(limitIn(bundle, "pids", names)).toBe("max");
  });

  conformanceTest("limit of 0 processes is one", CGROUP, async (runtime) => {
    const { bundle } = await runtime.create(limited({ pids: { limit: 0 } }));

    expect(limitIn(bundle, "pids", names)).toMatch(/^[01]$/);
  });
});

describe("config-linux.md#block-io", () => {
  /** A disk, whose numbers limits are for. */
  const [major, minor] = (readOr("/sys/block/vda/dev") || readOr("/sys/block/loop0/dev") || "7:0")
    .trim()
    .split(":")
    .map(Number);

  conformanceTest("rates of a device are set", CGROUP, async (runtime) => {
    if (version === 1 && !hasFile("blkio", { 1: "blkio.throttle.read_bps_device", 2: "io.max" })) return;
    const { bundle } = await runtime.create(
      limited({
        blockIO: {
          throttleReadBpsDevice: [{ major, minor, rate: 1_048_576 }],
          throttleWriteBpsDevice: [{ major, minor, rate: 2_097_152 }],
          throttleReadIOPSDevice: [{ major, minor, rate: 100 }],
          throttleWriteIOPSDevice: [{ major, minor, rate: 200 }],
        },
      }),
    );

    if (version === 2) {
      const line = `${major}:${minor} rbps=1048576 wbps=2097152 riops=100 wiops=200`;
      expect(limitIn(bundle, "blkio", { 1: "", 2: "io.max" })).toBe(line);
      return;
    }
    const read = (name: string): string =>
      limitIn(bundle, "blkio", { 1: `blkio.throttle.${name}_device`, 2: "" });
    expect(["read_bps", "write_bps", "read_iops", "write_iops"].map(read)).toEqual(
      [1_048_576, 2_097_152, 100, 200].map((rate) => `${major}:${minor} ${rate}`),
    );
  });

  conformanceTest("rates of a device that does not exist are refused", CGROUP, async (runtime) => {
    await runtime.refusal(
      limited({ blockIO: { throttleReadBpsDevice: [{ major: 4000, minor: 1, rate: 1 }] } }),
    );
  });
});

describe("config-linux.md#control-groups: a controller that is not there", () => {
  const mounted = new Set(
    version === 1
      ? readFileSync("/proc/self/cgroup", "utf8")
          .split("\n")
          .flatMap((line) => (line.split(":")[1] ?? "").split(","))
      : readOr("/sys/fs/cgroup/cgroup.controllers").trim().split(" "),
  );

  conformanceTest("refuses limits of huge pages", CGROUP, async (runtime) => {
    if (mounted.has("hugetlb")) return;
    await runtime.refusal(limited({ hugepageLimits: [{ pageSize: "2MB", limit: 4_194_304 }] }));
  });

  conformanceTest("refuses classes of the network", CGROUP, async (runtime) => {
    if (mounted.has("net_cls")) return;
    await runtime.refusal(limited({ network: { classID: 1_048_577 } }));
  });

  conformanceTest("refuses priorities of the network", CGROUP, async (runtime) => {
    if (mounted.has("net_prio")) return;
    await runtime.refusal(limited({ network: { priorities: [{ name: "lo", priority: 5 }] } }));
  });

  conformanceTest("refuses limits of RDMA", CGROUP, async (runtime) => {
    if (mounted.has("rdma")) return;
    await runtime.refusal(limited({ rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 10 } } }));
  });
});

describe("config-linux.md#unified", () => {
  conformanceTest("writes each file of version 2", ["cgroup v2"], async (runtime) => {
    const { bundle } = await runtime.create(
      limited({ unified: { "memory.high": "67108864", "pids.max": "77" } }),
    );

    expect(limitIn(bundle, "", { 1: "", 2: "memory.high" })).toBe("67108864");
    expect(limitIn(bundle, "", { 1: "", 2: "pids.max" })).toBe("77");
  });

  conformanceTest("of a controller that does not exist is refused", ["cgroup v2"], async (runtime) => {
    await runtime.refusal(limited({ unified: { "nosuch.max": "1" } }));
  });

  conformanceTest("on version 1 is refused", ["cgroup v1"], async (runtime) => {
    await runtime.refusal(limited({ unified: { "memory.high": "67108864" } }));
  });
});

function readOr(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}
