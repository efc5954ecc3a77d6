/** Resources as lines of the control files of version 1, in the order in which they are written. Pure. */
import type { BlockIo, CpuResources, Int64, MemoryResources, Resources } from "../../oci/bundle/config.ts";
import { CgroupError } from "./cgroup_error.ts";
import { rdmaSettings, type Setting, swappinessOf, unlessZero } from "./settings.ts";

/** All but device rules (devices_v1.ts). @throws {CgroupError} for what only version 2 has */
export function settingsV1(resources: Resources): Setting[] {
  if (Object.keys(resources.unified ?? {}).length > 0) {
    throw new CgroupError("Cannot set linux.resources.unified: this machine has control groups of version 1");
  }
  return [
    ...cpuSettings(resources.cpu ?? {}),
    ...memorySettings(resources.memory ?? {}),
    ...(resources.pids === undefined ? [] : [pidsSetting(resources.pids.limit)]),
    ...blockIoSettings(resources.blockIO ?? {}),
    ...hugepageSettings(resources.hugepageLimits ?? []),
    ...networkSettings(resources.network ?? {}),
    ...rdmaSettings(resources.rdma ?? {}),
  ];
}

type Value = Int64 | string | undefined;
type Maker = (file: string, value: Value, rest: Pick<Setting, "field"> & Partial<Setting>) => Setting[];

/** Makes the setting of one controller, none for an absent value. */
const of =
  (controller: string): Maker =>
  (file, value, rest) =>
    value === undefined ? [] : [{ controller, file, value: String(value), ...rest }];

const cpu = of("cpu");
const cpuset = of("cpuset");

/** config-linux.md#cpu */
function cpuSettings(asked: CpuResources): Setting[] {
  return [
    ...cpuset("cpuset.mems", asked.mems === "" ? undefined : asked.mems, { field: "cpu.mems" }),
    ...cpuset("cpuset.cpus", asked.cpus === "" ? undefined : asked.cpus, { field: "cpu.cpus" }),
    ...cpu("cpu.idle", asked.idle === 0 ? 0 : undefined, { field: "cpu.idle" }),
    ...cpu("cpu.shares", unlessZero(asked.shares), { field: "cpu.shares" }),
    ...cpu("cpu.idle", asked.idle === 0 ? undefined : asked.idle, { field: "cpu.idle" }),
    // Quota may not exceed the parent's share of the period, nor burst the quota: any order may be refused.
    ...cpu("cpu.cfs_period_us", unlessZero(asked.period), { field: "cpu.period", depends: true }),
    ...cpu("cpu.cfs_quota_us", unlessZero(asked.quota), { field: "cpu.quota", depends: true }),
    ...cpu("cpu.cfs_burst_us", asked.burst, { field: "cpu.burst", depends: true }),
    ...cpu("cpu.rt_period_us", unlessZero(asked.realtimePeriod), {
      field: "cpu.realtimePeriod",
      depends: true,
    }),
    ...cpu("cpu.rt_runtime_us", unlessZero(asked.realtimeRuntime), {
      field: "cpu.realtimeRuntime",
      depends: true,
    }),
  ];
}

const memory = of("memory");

/** config-linux.md#memory */
function memorySettings(asked: MemoryResources): Setting[] {
  const limit = unlessZero(asked.limit);
  // Without a limit of memory the sum of memory and swap cannot have one either.
  const swap = unlessZero(asked.swap) ?? (limit !== undefined && limit < 0 ? -1 : undefined);
  const optional = unlessZero(asked.swap) === undefined;
  return [
    ...memory("memory.use_hierarchy", asked.useHierarchy === false ? 0 : undefined, {
      field: "memory.useHierarchy",
    }),
    // The limit is never above that of memory and swap: which is first depends on which way they go.
    ...memory("memory.limit_in_bytes", limit, { field: "memory.limit", depends: true }),
    ...memory("memory.memsw.limit_in_bytes", swap, { field: "memory.swap", depends: true, optional }),
    ...memory("memory.soft_limit_in_bytes", unlessZero(asked.reservation), { field: "memory.reservation" }),
    ...memory("memory.kmem.limit_in_bytes", unlessZero(asked.kernel), { field: "memory.kernel" }),
    ...memory("memory.kmem.tcp.limit_in_bytes", unlessZero(asked.kernelTCP), { field: "memory.kernelTCP" }),
    ...memory("memory.swappiness", swappinessOf(asked), { field: "memory.swappiness" }),
    ...memory("memory.oom_control", oomControl(asked), { field: "memory.disableOOMKiller" }),
  ];
}

const oomControl = ({ disableOOMKiller }: MemoryResources): number | undefined =>
  disableOOMKiller === undefined ? undefined : Number(disableOOMKiller);

const pidsSetting = (limit: Int64): Setting => ({
  controller: "pids",
  file: "pids.max",
  value: limit < 0 ? "max" : String(limit),
  field: "pids.limit",
});

const blkio = of("blkio");

/** config-linux.md#block-io; CFQ's files went with Linux 5.0, BFQ's are the same with another name. */
function blockIoSettings(asked: BlockIo): Setting[] {
  return [
    ...(unlessZero(asked.weight) === undefined ? [] : weight("weight", String(asked.weight))),
    ...blkio("blkio.leaf_weight", unlessZero(asked.leafWeight), { field: "blockIO.leafWeight" }),
    ...(asked.weightDevice ?? []).flatMap((device) => {
      const number = `${device.major}:${device.minor}`;
      const leaf = unlessZero(device.leafWeight);
      return [
        ...(unlessZero(device.weight) === undefined
          ? []
          : weight("weight_device", `${number} ${device.weight}`)),
        ...blkio("blkio.leaf_weight_device", leaf && `${number} ${leaf}`, { field: "blockIO.weightDevice" }),
      ];
    }),
    ...THROTTLES.flatMap(([member, file]) =>
      (asked[member] ?? []).flatMap(({ major, minor, rate }, index) =>
        blkio(file, `${major}:${minor} ${rate}`, { field: `blockIO.${member}[${index}]` }),
      ),
    ),
  ];
}

function weight(file: "weight" | "weight_device", value: string): Setting[] {
  const field = file === "weight" ? "blockIO.weight" : "blockIO.weightDevice";
  return blkio(`blkio.${file}`, value, { field, otherwise: { file: `blkio.bfq.${file}`, value } });
}

const THROTTLES = [
  ["throttleReadBpsDevice", "blkio.throttle.read_bps_device"],
  ["throttleWriteBpsDevice", "blkio.throttle.write_bps_device"],
  ["throttleReadIOPSDevice", "blkio.throttle.read_iops_device"],
  ["throttleWriteIOPSDevice", "blkio.throttle.write_iops_device"],
] as const;

const hugetlb = of("hugetlb");

/** config-linux.md#huge-page-limits; the limit counts for reservations too where the kernel has those (5.7). */
function hugepageSettings(limits: NonNullable<Resources["hugepageLimits"]>): Setting[] {
  return limits.flatMap(({ pageSize, limit }, index) => {
    const field = `hugepageLimits[${index}]`;
    return [
      ...hugetlb(`hugetlb.${pageSize}.limit_in_bytes`, limit, { field }),
      ...hugetlb(`hugetlb.${pageSize}.rsvd.limit_in_bytes`, limit, { field, optional: true }),
    ];
  });
}

/** config-linux.md#network */
function networkSettings({ classID, priorities = [] }: NonNullable<Resources["network"]>): Setting[] {
  return [
    ...of("net_cls")("net_cls.classid", classID, { field: "network.classID" }),
    ...priorities.flatMap(({ name, priority }, index) =>
      of("net_prio")("net_prio.ifpriomap", `${name} ${priority}`, { field: `network.priorities[${index}]` }),
    ),
  ];
}
