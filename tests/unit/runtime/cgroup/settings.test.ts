/** Limits as lines of control files. */
import { describe, expect, test } from "bun:test";
import type { Resources } from "../../../../src/oci/bundle/config.ts";
import type { Setting } from "../../../../src/runtime/cgroup/settings.ts";
import { settingsV1 } from "../../../../src/runtime/cgroup/settings_v1.ts";
import { ioWeightOf, settingsV2, weightOfShares } from "../../../../src/runtime/cgroup/settings_v2.ts";

const lines = (settings: readonly Setting[]): string[] =>
  settings.map(({ file, value }) => `${file} ${value}`);

const table: readonly [
  name: string,
  resources: Resources,
  v1: readonly string[],
  v2: readonly string[] | string,
][] = [
  ["nothing", {}, [], []],
  ["a limit of processes", { pids: { limit: 7 } }, ["pids.max 7"], ["pids.max 7"]],
  ["no process more", { pids: { limit: 0 } }, ["pids.max 0"], ["pids.max 1"]],
  ["no limit of processes", { pids: { limit: -1 } }, ["pids.max max"], ["pids.max max"]],
  [
    "memory and swap",
    { memory: { limit: 100, swap: 300, reservation: 50 } },
    ["memory.limit_in_bytes 100", "memory.memsw.limit_in_bytes 300", "memory.soft_limit_in_bytes 50"],
    ["memory.max 100", "memory.swap.max 200", "memory.low 50"],
  ],
  [
    "no limit of memory, and so none of swap",
    { memory: { limit: -1 } },
    ["memory.limit_in_bytes -1", "memory.memsw.limit_in_bytes -1"],
    ["memory.max max", "memory.swap.max max"],
  ],
  [
    "zeros, which ask for nothing",
    { memory: { limit: 0, swap: 0, kernel: 0 }, cpu: { shares: 0, quota: 0 } },
    [],
    [],
  ],
  [
    "numbers of 64 bits",
    { memory: { limit: 9223372036854771712n } },
    ["memory.limit_in_bytes 9223372036854771712"],
    ["memory.max 9223372036854771712"],
  ],
  ["the default of swappiness", { memory: { swappiness: -1 } }, [], []],
  ["swappiness", { memory: { swappiness: 0 } }, ["memory.swappiness 0"], "memory.swappiness"],
  [
    "no OOM killer",
    { memory: { disableOOMKiller: true } },
    ["memory.oom_control 1"],
    "memory.disableOOMKiller",
  ],
  ["the OOM killer", { memory: { disableOOMKiller: false } }, ["memory.oom_control 0"], []],
  ["kernel memory", { memory: { kernel: 9 } }, ["memory.kmem.limit_in_bytes 9"], "memory.kernel"],
  ["TCP memory", { memory: { kernelTCP: 9 } }, ["memory.kmem.tcp.limit_in_bytes 9"], "memory.kernelTCP"],
  [
    "processor time",
    { cpu: { shares: 1024, quota: 5000, period: 10_000, burst: 100 } },
    ["cpu.shares 1024", "cpu.cfs_period_us 10000", "cpu.cfs_quota_us 5000", "cpu.cfs_burst_us 100"],
    ["cpu.weight 100", "cpu.max 5000 10000", "cpu.max.burst 100"],
  ],
  ["no quota", { cpu: { quota: -1 } }, ["cpu.cfs_quota_us -1"], ["cpu.max max 100000"]],
  [
    "an idle group, after its weight",
    { cpu: { idle: 1, shares: 2 } },
    ["cpu.shares 2", "cpu.idle 1"],
    ["cpu.weight 1", "cpu.idle 1"],
  ],
  [
    "a group that is idle no more, before it",
    { cpu: { idle: 0, shares: 2 } },
    ["cpu.idle 0", "cpu.shares 2"],
    ["cpu.idle 0", "cpu.weight 1"],
  ],
  [
    "processors",
    { cpu: { cpus: "0-1", mems: "0" } },
    ["cpuset.mems 0", "cpuset.cpus 0-1"],
    ["cpuset.mems 0", "cpuset.cpus 0-1"],
  ],
  [
    "real-time",
    { cpu: { realtimePeriod: 9, realtimeRuntime: 8 } },
    ["cpu.rt_period_us 9", "cpu.rt_runtime_us 8"],
    "cpu.realtimeRuntime",
  ],
  [
    "input and output",
    {
      blockIO: {
        weight: 10,
        weightDevice: [{ major: 8, minor: 0, weight: 1000 }],
        throttleReadBpsDevice: [{ major: 8, minor: 16, rate: 5 }],
        throttleWriteIOPSDevice: [{ major: 8, minor: 16, rate: 0 }],
      },
    },
    [
      "blkio.weight 10",
      "blkio.weight_device 8:0 1000",
      "blkio.throttle.read_bps_device 8:16 5",
      "blkio.throttle.write_iops_device 8:16 0",
    ],
    ["io.bfq.weight 10", "io.bfq.weight 8:0 1000", "io.max 8:16 rbps=5", "io.max 8:16 wiops=max"],
  ],
  ["a leaf weight", { blockIO: { leafWeight: 10 } }, ["blkio.leaf_weight 10"], "blockIO.leafWeight"],
  [
    "huge pages",
    { hugepageLimits: [{ pageSize: "2MB", limit: 9 }] },
    ["hugetlb.2MB.limit_in_bytes 9", "hugetlb.2MB.rsvd.limit_in_bytes 9"],
    ["hugetlb.2MB.max 9", "hugetlb.2MB.rsvd.max 9"],
  ],
  ["a class of packets", { network: { classID: 5 } }, ["net_cls.classid 5"], "network.classID"],
  [
    "priorities of packets",
    { network: { priorities: [{ name: "eth0", priority: 3 }] } },
    ["net_prio.ifpriomap eth0 3"],
    "network.priorities",
  ],
  [
    "RDMA",
    { rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 4 }, mlx4_0: { hcaObjects: 5 } } },
    ["rdma.max mlx5_1 hca_handle=3 hca_object=4", "rdma.max mlx4_0 hca_object=5"],
    ["rdma.max mlx5_1 hca_handle=3 hca_object=4", "rdma.max mlx4_0 hca_object=5"],
  ],
];

describe("settingsV1()", () => {
  test.each(table)("writes %s", (_, resources, expected) => {
    expect(lines(settingsV1(resources))).toEqual([...expected]);
  });

  test("refuses files of version 2", () => {
    expect(() => settingsV1({ unified: { "memory.high": "5" } })).toThrow("linux.resources.unified");
  });
});

describe("settingsV2()", () => {
  test.each(table.filter(([, , , expected]) => typeof expected !== "string"))(
    "writes %s",
    (_, resources, _v1, expected) => {
      expect(lines(settingsV2(resources))).toEqual([...(expected as readonly string[])]);
    },
  );

  test.each(table.filter(([, , , expected]) => typeof expected === "string"))(
    "refuses %s",
    (_, resources, _v1, field) => {
      expect(() => settingsV2(resources)).toThrow(`linux.resources.${field}: `);
    },
  );

  test("writes the lines of unified one by one, after everything else", () => {
    const unified = { "io.max": "8:0 rbps=1\n8:1 rbps=2\n", "memory.max": "7" };

    expect(lines(settingsV2({ unified, memory: { limit: 5 } }))).toEqual([
      "memory.max 5",
      "io.max 8:0 rbps=1",
      "io.max 8:1 rbps=2",
      "memory.max 7",
    ]);
  });

  test.each(["../x.y", "memory.max/..", "memory", ""])("refuses %p as a file of unified", (file) => {
    expect(() => settingsV2({ unified: { [file]: "1" } })).toThrow("linux.resources.unified");
  });

  test("keeps the quota when only the period changes, and the period when only the quota does", () => {
    const current = { cpuMax: "5000 20000" };

    expect(lines(settingsV2({ cpu: { period: 10_000 } }, current))).toEqual(["cpu.max 5000 10000"]);
    expect(lines(settingsV2({ cpu: { quota: 9000 } }, current))).toEqual(["cpu.max 9000 20000"]);
  });

  test("counts swap from the memory limit that there is", () => {
    expect(lines(settingsV2({ memory: { swap: 300 } }, { memoryMax: "100" }))).toEqual([
      "memory.swap.max 200",
    ]);
    expect(() => settingsV2({ memory: { swap: 300 } }, { memoryMax: "max" })).toThrow("memory.swap");
    expect(() => settingsV2({ memory: { swap: 300 } }, { memoryMax: "400" })).toThrow("memory.swap");
  });

  test("refuses a limit below the usage when that is to be checked", () => {
    const current = { memoryCurrent: 500 };

    expect(() => settingsV2({ memory: { limit: 499, checkBeforeUpdate: true } }, current)).toThrow(
      "memory.limit",
    );
    expect(lines(settingsV2({ memory: { limit: 499 } }, current))).toEqual(["memory.max 499"]);
    expect(lines(settingsV2({ memory: { limit: 500, checkBeforeUpdate: true } }, current))).toEqual([
      "memory.max 500",
    ]);
  });
});

describe("weightOfShares()", () => {
  test.each([
    [0, 1],
    [2, 1],
    [1024, 100],
    [262_144, 10_000],
    [10 ** 9, 10_000],
  ])("makes %d shares a weight of %d", (shares, weight) => {
    expect(weightOfShares(shares)).toBe(weight);
  });

  test("never makes more shares a smaller weight", () => {
    const weights = Array.from({ length: 5000 }, (_, index) => weightOfShares(2 + index * 52));

    expect(weights).toEqual(weights.toSorted((a, b) => a - b));
  });
});

describe("ioWeightOf()", () => {
  test.each([
    [10, 1],
    [1000, 10_000],
  ])("makes %d a weight of %d", (weight, expected) => {
    expect(ioWeightOf(weight)).toBe(expected);
  });
});
