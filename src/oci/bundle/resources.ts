/**
 * `linux.resources` (config-linux.md#control-groups), also what `update --resources` reads. Zero is "not set" for
 * most limits, as callers built on Go's types write it; what a kernel makes of a value is left to runtime/cgroup.
 */

import type { BlockIo, CpuResources, MemoryResources, Resources, WeightDevice } from "./config.ts";
import { interfaceName } from "./interface_name.ts";
import { int64, limit, numberList, U64_MAX, uint32, uint64 } from "./numbers.ts";
import {
  type Dictionary,
  flag,
  inSection,
  type Judge,
  LIST_COUNT_MAX,
  list,
  map,
  NAME_BYTES_MAX,
  oneOf,
  type Report,
  record,
  type Schema,
  TEXT_BYTES_MAX,
  text,
  whole,
} from "./schema.ts";

/** Rules of the device list; podman's --privileged writes one a device. */
const DEVICE_RULES_MAX = 16_384;
/** Greatest numbers that fit into the kernel's dev_t. */
const MAJOR_MAX = 4095;
const MINOR_MAX = 1_048_575;
/** Shortest and longest period of the scheduler's bandwidth control, in microseconds (kernel/sched/core.c). */
const PERIOD_MIN = 1000;
const PERIOD_MAX = 1_000_000;
const SWAPPINESS_MAX = 100;
/** Weights of cgroup version 1; version 2 gets them converted. */
const WEIGHT_MIN = 10;
const WEIGHT_MAX = 1000;
const CPU_LIST_BYTES_MAX = 4095;

/** Major number of a device. */
export const major = whole(0, MAJOR_MAX);
/** Minor number of a device. */
export const minor = whole(0, MINOR_MAX);

const deviceRule = record(
  "config-linux.md#allowed-device-list",
  {
    allow: flag,
    type: oneOf("a", "c", "b"),
    // docker and containerd write -1 for every number.
    major: whole(0, MAJOR_MAX, -1),
    minor: whole(0, MINOR_MAX, -1),
    access: text(TEXT_BYTES_MAX, judgeAccess),
  },
  { required: ["allow"] },
);

function judgeAccess(access: string): string | undefined {
  for (let at = 0; at < access.length; at++) {
    if (!"rwm".includes(access.charAt(at))) return "expected some of the letters r, w and m";
  }
  return access.length > 3 ? "it has a letter twice" : undefined;
}

const memory = record<MemoryResources>(
  "config-linux.md#memory",
  {
    limit,
    reservation: limit,
    swap: limit,
    kernel: limit,
    kernelTCP: limit,
    // docker writes -1 as a uint64 for the default.
    swappiness: whole(0, SWAPPINESS_MAX, -1, U64_MAX),
    disableOOMKiller: flag,
    useHierarchy: flag,
    checkBeforeUpdate: flag,
  },
  {
    rule({ limit = 0, swap = 0 }, report) {
      if (swap > 0 && limit > 0 && swap < limit) {
        report("swap", `memory and swap together (${swap}) are less than the memory limit (${limit})`);
      }
    },
  },
);

const cpuList = text(CPU_LIST_BYTES_MAX, numberList);

const cpu = record<CpuResources>(
  "config-linux.md#cpu",
  {
    shares: uint64,
    quota: limit,
    burst: uint64,
    period: whole(PERIOD_MIN, PERIOD_MAX, 0),
    realtimeRuntime: limit,
    realtimePeriod: uint64,
    cpus: cpuList,
    mems: cpuList,
    idle: whole(0, 1),
  },
  { rule: checkCpu },
);

function checkCpu(
  { quota = 0, burst = 0, realtimeRuntime = 0, realtimePeriod = 0 }: CpuResources,
  report: Report,
): void {
  if (quota > 0 && quota < PERIOD_MIN) report("quota", `the least quota is ${PERIOD_MIN} microseconds`);
  if (quota > 0 && burst > quota) report("burst", `it is greater than the quota (${quota})`);
  if (realtimePeriod > 0 && realtimeRuntime > realtimePeriod) {
    report("realtimeRuntime", `it is greater than realtimePeriod (${realtimePeriod})`);
  }
}

const BLOCK_IO = "config-linux.md#block-io";
const weight = whole(WEIGHT_MIN, WEIGHT_MAX, 0);
const device = { major, minor };
const throttle = list(
  record(BLOCK_IO, { ...device, rate: uint64 }, { required: ["major", "minor", "rate"] }),
  LIST_COUNT_MAX,
);

const blockIO = record<BlockIo>(BLOCK_IO, {
  weight,
  leafWeight: weight,
  weightDevice: list(
    record<WeightDevice>(
      BLOCK_IO,
      { ...device, weight, leafWeight: weight },
      {
        required: ["major", "minor"],
        rule(entry, report) {
          if (entry.weight === undefined && entry.leafWeight === undefined) {
            report("", "expected a weight, a leafWeight, or both");
          }
        },
      },
    ),
  ),
  throttleReadBpsDevice: throttle,
  throttleWriteBpsDevice: throttle,
  throttleReadIOPSDevice: throttle,
  throttleWriteIOPSDevice: throttle,
});

const hugepageLimits: Schema = list(
  record(
    "config-linux.md#huge-page-limits",
    {
      pageSize: text(TEXT_BYTES_MAX, (size) =>
        /^[1-9]\d{0,9}[KMGTPE]?B$/.test(size) ? undefined : `expected a size such as "2MB" or "1GB"`,
      ),
      limit: uint64,
    },
    { required: ["pageSize", "limit"] },
  ),
);

const network = record("config-linux.md#network", {
  classID: uint32,
  priorities: list(
    record(
      "config-linux.md#network",
      { name: text(TEXT_BYTES_MAX, interfaceName), priority: uint32 },
      { required: ["name", "priority"] },
    ),
  ),
});

/** A name that is written into a line of a control file, or names one. */
const plainName: Judge = (name) => {
  if (name === "" || name.length > NAME_BYTES_MAX)
    return `expected a name of 1 to ${NAME_BYTES_MAX} characters`;
  return /[\s/]/.test(name) ? "the name contains a slash or white space" : undefined;
};

const rdma: Dictionary = map(
  record<{ readonly hcaHandles?: number; readonly hcaObjects?: number }>(
    "config-linux.md#rdma",
    { hcaHandles: uint32, hcaObjects: uint32 },
    {
      rule(entry, report) {
        if (entry.hcaHandles === undefined && entry.hcaObjects === undefined) {
          report("", "expected hcaHandles, hcaObjects, or both");
        }
      },
    },
  ),
  plainName,
);

/** Files of cgroup version 2: `memory.high`, in the container's own directory. */
const unified: Dictionary = map(
  text(TEXT_BYTES_MAX),
  (name) =>
    plainName(name) ?? (/^[^.]+\../.test(name) ? undefined : `expected a file's name such as "memory.high"`),
);

/** config-linux.md#control-groups */
export const resources = record<Resources>("config-linux.md#control-groups", {
  devices: inSection("config-linux.md#allowed-device-list", list(deviceRule, DEVICE_RULES_MAX)),
  memory,
  cpu,
  blockIO,
  hugepageLimits: inSection("config-linux.md#huge-page-limits", hugepageLimits),
  network,
  pids: record("config-linux.md#pids", { limit: int64 }, { required: ["limit"] }),
  rdma: inSection("config-linux.md#rdma", rdma),
  unified: inSection("config-linux.md#unified", unified),
});
