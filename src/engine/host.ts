/** What this process may do, read once from /proc/self/status: proc_pid_status(5). */
import { UsageError } from "../errors.ts";
import { readSmallFile, readSmallText } from "../linux/small_file.ts";

/** Capabilities as masks, and the signals that this process ignores. */
export interface HostStatus {
  readonly effective: bigint;
  readonly bounding: bigint;
  /** Signal numbers. */
  readonly ignoredSignals: readonly number[];
  /** uid 0 in the namespace that this process lives in. */
  readonly root: boolean;
}

/** AT_SECURE of getauxval(3): the program runs with more rights than its caller (setuid, file capabilities). */
const AT_SECURE = 23;

/**
 * Refuses to work with the rights of a file: Bun reads its environment before any line of ours, so whoever may start
 * such a file may run anything with its rights (SECURITY.md, The executable).
 * @throws {UsageError}
 */
export function refuseFileRights(): void {
  const auxv = new DataView((readSmallFile("/proc/self/auxv") ?? new Uint8Array(0)).slice().buffer);
  for (let at = 0; at + 16 <= auxv.byteLength; at += 16) {
    if (auxv.getUint32(at, true) !== AT_SECURE || auxv.getUint32(at + 8, true) === 0) continue;
    throw new UsageError("Cannot run with setuid or file capabilities: they would be everybody's", {
      hint: "Remove them from the executable: chmod u-s, setcap -r",
    });
  }
}

/** Reads the status of this process. */
export function readHostStatus(): HostStatus {
  refuseFileRights();
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
