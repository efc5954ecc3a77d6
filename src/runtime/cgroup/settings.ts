/** Resources as lines of control files: what both versions share. Pure. */
import type { Int64, MemoryResources } from "../../oci/bundle/config.ts";

/** One value for one control file. */
export interface Setting {
  /** Controller of version 1 whose directory holds the file; version 2 asks it to be enabled. */
  readonly controller: string;
  readonly file: string;
  readonly value: string;
  /** Below `linux.resources`, for errors. */
  readonly field: string;
  /** The kernel compares it with other values: if it refuses, it is tried again after them. */
  readonly depends?: boolean;
  /** Written instead where there is no such file. */
  readonly otherwise?: { readonly file: string; readonly value: string };
  /** Not missed where there is no such file: nothing was asked by it. */
  readonly optional?: boolean;
}

/** Length of the period that processor time is counted in unless another is asked for, microseconds. */
export const CPU_PERIOD_US = 100_000;

/** Values of version 2 where -1 means that there is no limit. */
export const orMax = (value: Int64): string => (value < 0 ? "max" : String(value));

/** Callers built on Go's types write 0 for a limit that they do not ask for. */
export const unlessZero = <T extends Int64>(value: T | undefined): T | undefined =>
  value === undefined || Number(value) === 0 ? undefined : value;

/** Undefined where the default is asked for: docker writes -1 for it, also as an unsigned number. */
export function swappinessOf({ swappiness }: MemoryResources): number | undefined {
  return swappiness === undefined || swappiness < 0 || swappiness > 100 ? undefined : swappiness;
}

/** Lines for the RDMA controller, the same in both versions: config-linux.md#rdma */
export function rdmaSettings(
  rdma: Readonly<Record<string, { readonly hcaHandles?: number; readonly hcaObjects?: number }>>,
): Setting[] {
  return Object.entries(rdma).map(([device, { hcaHandles, hcaObjects }]) => {
    const handles = hcaHandles === undefined ? "" : ` hca_handle=${hcaHandles}`;
    const objects = hcaObjects === undefined ? "" : ` hca_object=${hcaObjects}`;
    return {
      controller: "rdma",
      file: "rdma.max",
      value: `${device}${handles}${objects}`,
      field: `rdma.${device}`,
    };
  });
}
