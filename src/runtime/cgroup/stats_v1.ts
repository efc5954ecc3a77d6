/** Statistics of a group of version 1. */

import { listOf } from "./cpu_list.ts";
import type { CgroupPlace } from "./place.ts";
import type { BlkioEntry, CgroupStats, Count, MemoryEntry } from "./stats.ts";
import {
  blkioEntry,
  count,
  hugepageSizes,
  numberOf,
  pidsOf,
  printedTable,
  type Reader,
  readerOf,
  tableOf,
  unlessZero,
} from "./stats_values.ts";

/** Reads them. @param directories by controller */
export function statsV1(directories: CgroupPlace["directories"]): CgroupStats {
  const reader = (controller: string): Reader => readerOf(directories[controller]);
  return {
    cpu: { usage: cpuUsage(reader("cpuacct")), throttling: throttling(reader("cpu")) },
    cpuset: cpuset(reader("cpuset")),
    memory: memory(reader("memory")),
    pids: pidsOf(reader("pids")),
    blkio: blkio(reader("blkio")),
    hugetlb: hugetlb(reader("hugetlb")),
    intel_rdt: {},
    network_interfaces: null,
  };
}

/** cpuacct.stat counts in USER_HZ, which is 100 on every architecture that matters here. */
const NANOSECONDS_OF_TICK = 10_000_000n;

function cpuUsage(read: Reader): CgroupStats["cpu"]["usage"] {
  const ticks = tableOf(read("cpuacct.stat"));
  const perCpu = (read("cpuacct.usage_percpu") ?? "").trim().split(" ").filter(Boolean).map(BigInt);
  // Header, then lines of `CPU USER SYSTEM`.
  const split = (read("cpuacct.usage_all") ?? "")
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.split(" "));
  const column = (index: number): Count[] => split.map((words) => count(BigInt(words[index] ?? 0)));
  return {
    ...unlessZero("total", numberOf(read("cpuacct.usage"))),
    ...(perCpu.length === 0 ? {} : { percpu: perCpu.map(count) }),
    ...(split.length === 0 ? {} : { percpu_kernel: column(2), percpu_user: column(1) }),
    kernel: count((ticks["system"] ?? 0n) * NANOSECONDS_OF_TICK),
    user: count((ticks["user"] ?? 0n) * NANOSECONDS_OF_TICK),
  };
}

function throttling(read: Reader): CgroupStats["cpu"]["throttling"] {
  const table = tableOf(read("cpu.stat"));
  return {
    ...unlessZero("periods", table["nr_periods"] ?? 0n),
    ...unlessZero("throttledPeriods", table["nr_throttled"] ?? 0n),
    ...unlessZero("throttledTime", table["throttled_time"] ?? 0n),
  };
}

const CPUSET_FLAGS = [
  "cpu_exclusive",
  "mem_hardwall",
  "mem_exclusive",
  "memory_migrate",
  "memory_spread_page",
  "memory_spread_slab",
  "memory_pressure",
  "sched_load_balance",
] as const;

function cpuset(read: Reader): CgroupStats["cpuset"] {
  const cpus = listOf(read("cpuset.cpus"));
  const mems = listOf(read("cpuset.mems"));
  const flags = CPUSET_FLAGS.map((name) => [name, count(numberOf(read(`cpuset.${name}`)))] as const);
  return {
    ...(cpus.length === 0 ? {} : { cpus }),
    ...(mems.length === 0 ? {} : { mems }),
    ...Object.fromEntries(flags),
    sched_relax_domain_level: Number(read("cpuset.sched_relax_domain_level") ?? 0),
  };
}

function memory(read: Reader): CgroupStats["memory"] {
  const raw = tableOf(read("memory.stat"));
  const entry = (prefix: string): MemoryEntry => ({
    limit: count(numberOf(read(`${prefix}.limit_in_bytes`))),
    ...unlessZero("usage", numberOf(read(`${prefix}.usage_in_bytes`))),
    ...unlessZero("max", numberOf(read(`${prefix}.max_usage_in_bytes`))),
    failcnt: count(numberOf(read(`${prefix}.failcnt`))),
  });
  return {
    ...unlessZero("cache", raw["cache"] ?? 0n),
    usage: entry("memory"),
    swap: entry("memory.memsw"),
    kernel: entry("memory.kmem"),
    kernelTCP: entry("memory.kmem.tcp"),
    ...(Object.keys(raw).length === 0 ? {} : { raw: printedTable(raw) }),
  };
}

/** BFQ's tables, or those of throttling where another scheduler is at work. */
function blkio(read: Reader): CgroupStats["blkio"] {
  const table = (name: string): BlkioEntry[] => {
    const scheduler = blkioTable(read(`blkio.bfq.${name}_recursive`));
    return scheduler.length > 0 ? scheduler : blkioTable(read(`blkio.throttle.${name}_recursive`));
  };
  const tables = {
    ioServiceBytesRecursive: table("io_service_bytes"),
    ioServicedRecursive: table("io_serviced"),
  };
  return Object.fromEntries(Object.entries(tables).filter(([, entries]) => entries.length > 0));
}

/** Lines of `8:0 Read 4096`; the total at the end is left out. */
function blkioTable(text: string | undefined): BlkioEntry[] {
  return (text ?? "").split("\n").flatMap((line) => {
    const found = /^([0-9]+):([0-9]+) (\w+) ([0-9]+)$/.exec(line);
    if (found === null) return [];
    const [, major, minor, op = "", value = "0"] = found;
    return [blkioEntry([Number(major), Number(minor)], op, BigInt(value))];
  });
}

function hugetlb(read: Reader): CgroupStats["hugetlb"] {
  const entries = hugepageSizes().flatMap((size) => {
    const usage = read(`hugetlb.${size}.usage_in_bytes`);
    if (usage === undefined) return [];
    const entry = {
      ...unlessZero("usage", numberOf(usage)),
      ...unlessZero("max", numberOf(read(`hugetlb.${size}.max_usage_in_bytes`))),
      failcnt: count(numberOf(read(`hugetlb.${size}.failcnt`))),
    };
    return [[size, entry] as const];
  });
  return Object.fromEntries(entries);
}
