/**
 * What a process in a user namespace cannot do to itself, done by the engine before the command runs: lower scores,
 * higher limits and real-time scheduling take capabilities of the initial user namespace.
 */
import { IOPRIO_WHO_PROCESS } from "../../linux/abi/scheduling.ts";
import { call, SyscallError } from "../../linux/call.ts";
import { writeSmallFile } from "../../linux/small_file.ts";
import type { Process } from "../../oci/bundle/config.ts";
import { ConfigError } from "../../oci/bundle/fault.ts";
import { limitSteps } from "./limits.ts";
import { ioPriorityValue, schedulerAttributes } from "./scheduling.ts";

/**
 * Sets score, scheduling and limits of `pid`, which waits meanwhile.
 * @throws {ConfigError} that names the field which the kernel refuses.
 */
export function applyFromHost(pid: number, process: Process): void {
  const { oomScoreAdj, scheduler, ioPriority } = process;
  if (oomScoreAdj !== undefined) {
    apply("oomScoreAdj", () => writeSmallFile(`/proc/${pid}/oom_score_adj`, String(oomScoreAdj)));
  }
  if (scheduler !== undefined) {
    apply("scheduler", () => call("sched_setattr", pid, schedulerAttributes(scheduler), 0));
  }
  if (ioPriority !== undefined) {
    apply("ioPriority", () => call("ioprio_set", IOPRIO_WHO_PROCESS, pid, ioPriorityValue(ioPriority)));
  }
  for (const [index, { resource, soft, hard }] of limitSteps(process.rlimits).entries()) {
    const limit = BigUint64Array.of(BigInt.asUintN(64, BigInt(soft)), BigInt.asUintN(64, BigInt(hard)));
    apply(`rlimits[${index}]`, () => call("prlimit64", pid, resource, new Uint8Array(limit.buffer), null));
  }
}

function apply(field: string, change: () => void): void {
  try {
    change();
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    const message = `the kernel refuses to set it: ${error.code}`;
    throw new ConfigError([{ path: `process.${field}`, message, section: "config.md#linux-process" }], error);
  }
}
