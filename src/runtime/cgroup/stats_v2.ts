/** Statistics of a group of version 2: Documentation/admin-guide/cgroup-v2.rst. */
import { listOf } from "./cpu_list.ts";
import type { BlkioEntry, CgroupStats } from "./stats.ts";
import {
  blkioEntry,
  count,
  hugepageSizes,
  numberOf,
  pidsOf,
  pressureOf,
  printedTable,
  type Reader,
  readerOf,
  tableOf,
  unlessZero,
} from "./stats_values.ts";

/** Reads them. */
export function statsV2(directory: string): CgroupStats {
  const read = readerOf(directory);
  return {
    cpu: cpu(read),
    cpuset: cpuset(read),
    memory: memory(read),
    pids: pidsOf(read),
    blkio: blkio(read),
    hugetlb: hugetlb(read),
    intel_rdt: {},
    network_interfaces: null,
  };
}

const psi = (read: Reader, file: string) => {
  const pressure = pressureOf(read(file));
  return pressure === undefined ? {} : { psi: pressure };
};

function cpu(read: Reader): CgroupStats["cpu"] {
  const table = tableOf(read("cpu.stat"));
  // Microseconds in the file.
  const nanoseconds = (key: string): bigint => (table[key] ?? 0n) * 1000n;
  return {
    usage: {
      ...unlessZero("total", nanoseconds("usage_usec")),
      kernel: count(nanoseconds("system_usec")),
      user: count(nanoseconds("user_usec")),
    },
    throttling: {
      ...unlessZero("periods", table["nr_periods"] ?? 0n),
      ...unlessZero("throttledPeriods", table["nr_throttled"] ?? 0n),
      ...unlessZero("throttledTime", nanoseconds("throttled_usec")),
    },
    ...psi(read, "cpu.pressure"),
  };
}

/** Version 2 has no flags; those of version 1 are printed as 0, as runc does. */
const CPUSET_FLAGS = {
  cpu_exclusive: 0,
  mem_hardwall: 0,
  mem_exclusive: 0,
  memory_migrate: 0,
  memory_spread_page: 0,
  memory_spread_slab: 0,
  memory_pressure: 0,
  sched_load_balance: 0,
  sched_relax_domain_level: 0,
};

function cpuset(read: Reader): CgroupStats["cpuset"] {
  const cpus = listOf(read("cpuset.cpus.effective"));
  const mems = listOf(read("cpuset.mems.effective"));
  return {
    ...(cpus.length === 0 ? {} : { cpus }),
    ...(mems.length === 0 ? {} : { mems }),
    ...CPUSET_FLAGS,
  };
}

/** The sum of two values that may be without a limit. */
function sum(a: bigint, b: bigint): bigint {
  const max = 2n ** 64n - 1n;
  return a === max || b === max ? max : a + b;
}

function memory(read: Reader): CgroupStats["memory"] {
  const raw = tableOf(read("memory.stat"));
  const events = tableOf(read("memory.events"));
  const [usage, limit, peak] = ["memory.current", "memory.max", "memory.peak"].map((file) =>
    numberOf(read(file)),
  );
  const [swap, swapLimit] = ["memory.swap.current", "memory.swap.max"].map((file) => numberOf(read(file)));
  const zero = { limit: 0, failcnt: 0 };
  return {
    ...unlessZero("cache", raw["file"] ?? 0n),
    usage: {
      limit: count(limit as bigint),
      ...unlessZero("usage", usage as bigint),
      ...unlessZero("max", peak as bigint),
      failcnt: count(events["max"] ?? 0n),
    },
    // Memory and swap together, as version 1 counts.
    swap: {
      limit: count(sum(limit as bigint, swapLimit as bigint)),
      ...unlessZero("usage", sum(usage as bigint, swap as bigint)),
      failcnt: 0,
    },
    kernel: { ...zero, ...unlessZero("usage", raw["kernel"] ?? 0n) },
    kernelTCP: { ...zero, ...unlessZero("usage", raw["sock"] ?? 0n) },
    ...(Object.keys(raw).length === 0 ? {} : { raw: printedTable(raw) }),
    ...psi(read, "memory.pressure"),
    ...(Object.keys(events).length === 0 ? {} : { event_count: printedTable(events) }),
  };
}

/** Keys of io.stat with the operation that version 1 calls them. */
const OPERATIONS = [
  ["ioServiceBytesRecursive", { rbytes: "Read", wbytes: "Write", dbytes: "Discard" }],
  ["ioServicedRecursive", { rios: "Read", wios: "Write", dios: "Discard" }],
] as const;

/** Lines of `8:0 rbytes=… wbytes=… rios=…` */
function blkio(read: Reader): CgroupStats["blkio"] {
  const lines = (read("io.stat") ?? "").split("\n");
  const tables = OPERATIONS.map(([name, keys]) => {
    const entries = lines.flatMap((line) => deviceEntries(line, keys));
    return [name, entries] as const;
  });
  return {
    ...Object.fromEntries(tables.filter(([, entries]) => entries.length > 0)),
    ...psi(read, "io.pressure"),
  };
}

function deviceEntries(line: string, keys: Readonly<Record<string, string>>): BlkioEntry[] {
  const device = /^([0-9]+):([0-9]+) /.exec(line);
  if (device === null) return [];
  return Object.entries(keys).flatMap(([key, op]) => {
    const value = new RegExp(` ${key}=([0-9]+)`).exec(line)?.[1];
    return value === undefined ? [] : [blkioEntry([Number(device[1]), Number(device[2])], op, BigInt(value))];
  });
}

function hugetlb(read: Reader): CgroupStats["hugetlb"] {
  const entries = hugepageSizes().flatMap((size) => {
    const usage = read(`hugetlb.${size}.current`);
    if (usage === undefined) return [];
    const failcnt = count(tableOf(read(`hugetlb.${size}.events`))["max"] ?? 0n);
    return [[size, { ...unlessZero("usage", numberOf(usage)), failcnt }] as const];
  });
  return Object.fromEntries(entries);
}
