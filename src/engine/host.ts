/** What this process may do, read once from /proc/self/status: proc_pid_status(5). */
import { readSmallText } from "../linux/small_file.ts";

/** Capabilities as masks, and the signals that this process ignores. */
export interface HostStatus {
  readonly effective: bigint;
  readonly bounding: bigint;
  /** Signal numbers. */
  readonly ignoredSignals: readonly number[];
  /** uid 0 in the namespace that this process lives in. */
  readonly root: boolean;
}

/** Reads the status of this process. */
export function readHostStatus(): HostStatus {
  const text = readSmallText("/proc/self/status") as string;
  const mask = (field: string): bigint => {
    const at = text.indexOf(`\n${field}:\t`) + field.length + 3;
    return BigInt(`0x${text.slice(at, at + 16)}`);
  };
  return {
    effective: mask("CapEff"),
    bounding: mask("CapBnd"),
    ignoredSignals: bits(mask("SigIgn")).map((bit) => bit + 1),
    root: process.getuid?.() === 0,
  };
}

/** Numbers of the bits that are set. */
export function bits(mask: bigint): number[] {
  const set: number[] = [];
  for (let bit = 0; mask >> BigInt(bit) !== 0n; bit++) if ((mask >> BigInt(bit)) & 1n) set.push(bit);
  return set;
}
