/**
 * What a group has used, in the shape of runc's `events` (types/events.go), which containerd and others parse: members that
 * are empty are left out where runc leaves them out. Each version fills the same members from its own files.
 */
import type { CgroupPlace } from "./place.ts";

/** A count of 64 bits as JSON prints it: an object of JSON.rawJSON where a double would change it. */
export type Count = number | object;

/** One line of a table by device. */
export interface BlkioEntry {
  readonly major?: number;
  readonly minor?: number;
  readonly op?: string;
  readonly value?: Count;
}

/** Pressure stall information: Documentation/accounting/psi.rst; percent, and microseconds in total. */
export interface Pressure {
  readonly some: PressureLine;
  readonly full: PressureLine;
}

/** Percent of the last 10, 60, 300 seconds. */
export interface PressureLine {
  readonly avg10: number;
  readonly avg60: number;
  readonly avg300: number;
  readonly total: Count;
}

/** Bytes, save failcnt. */
export interface MemoryEntry {
  readonly limit: Count;
  readonly usage?: Count;
  readonly max?: Count;
  readonly failcnt: Count;
}

/** What `events --stats` prints as `data`. */
export interface CgroupStats {
  readonly cpu: {
    /** Nanoseconds. */
    readonly usage: {
      readonly total?: Count;
      readonly percpu?: readonly Count[];
      readonly percpu_kernel?: readonly Count[];
      readonly percpu_user?: readonly Count[];
      readonly kernel: Count;
      readonly user: Count;
    };
    readonly throttling: {
      readonly periods?: Count;
      readonly throttledPeriods?: Count;
      readonly throttledTime?: Count;
    };
    readonly psi?: Pressure;
  };
  readonly cpuset: Readonly<Record<string, Count | readonly number[]>>;
  readonly memory: {
    readonly cache?: Count;
    readonly usage: MemoryEntry;
    readonly swap: MemoryEntry;
    readonly kernel: MemoryEntry;
    readonly kernelTCP: MemoryEntry;
    readonly raw?: Readonly<Record<string, Count>>;
    readonly psi?: Pressure;
    readonly event_count?: Readonly<Record<string, Count>>;
  };
  readonly pids: { readonly current?: Count; readonly limit?: Count };
  readonly blkio: Readonly<Record<string, readonly BlkioEntry[] | Pressure>>;
  readonly hugetlb: Readonly<
    Record<string, { readonly usage?: Count; readonly max?: Count; readonly failcnt: Count }>
  >;
  readonly intel_rdt: object;
  readonly network_interfaces: null;
}

/** Reads the statistics of a group. */
export async function statsIn(place: CgroupPlace): Promise<CgroupStats> {
  if (place.version === 2) return (await import("./stats_v2.ts")).statsV2(place.directories[""] as string);
  return (await import("./stats_v1.ts")).statsV1(place.directories);
}
