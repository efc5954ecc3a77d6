/** Scheduling of the container's process: `scheduler` (sched_setattr(2)) and `ioPriority` (ioprio_set(2)). */

import type { IoPriority, Scheduler } from "./config.ts";
import { uint64 } from "./numbers.ts";
import { list, oneOf, type Report, record, whole } from "./schema.ts";

const SECTION = "config.md#linux-process";
const NICE_MIN = -20;
const NICE_MAX = 19;
const REALTIME_PRIORITY_MAX = 99;
const IO_PRIORITY_MAX = 7;
const FLAGS_MAX = 16;

/** Policies of sched_setattr(2); SCHED_ISO is in the specification, but no Linux has it. */
const POLICIES = [
  "SCHED_OTHER",
  "SCHED_FIFO",
  "SCHED_RR",
  "SCHED_BATCH",
  "SCHED_IDLE",
  "SCHED_DEADLINE",
] as const;

/** config.md#linux-process */
export const scheduler = record<Scheduler>(
  SECTION,
  {
    policy: oneOf(...POLICIES),
    nice: whole(NICE_MIN, NICE_MAX),
    priority: whole(0, REALTIME_PRIORITY_MAX),
    flags: list(
      oneOf(
        "SCHED_FLAG_RESET_ON_FORK",
        "SCHED_FLAG_RECLAIM",
        "SCHED_FLAG_DL_OVERRUN",
        "SCHED_FLAG_KEEP_POLICY",
        "SCHED_FLAG_KEEP_PARAMS",
        "SCHED_FLAG_UTIL_CLAMP_MIN",
        "SCHED_FLAG_UTIL_CLAMP_MAX",
      ),
      FLAGS_MAX,
    ),
    runtime: uint64,
    deadline: uint64,
    period: uint64,
  },
  { required: ["policy"], rule: checkScheduler },
);

/** config.md#linux-process */
export const ioPriority = record<IoPriority>(
  SECTION,
  {
    class: oneOf("IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"),
    priority: whole(0, IO_PRIORITY_MAX),
  },
  { required: ["class", "priority"] },
);

/** What belongs to another policy would be skipped silently by the kernel. */
function checkScheduler(scheduler: Scheduler, report: Report): void {
  const { policy, nice = 0, priority = 0, runtime = 0, deadline = 0, period = 0 } = scheduler;
  const isRealtime = policy === "SCHED_FIFO" || policy === "SCHED_RR";
  if (isRealtime && priority === 0) report("priority", `${policy} needs a priority from 1 to 99`);
  if (!isRealtime && priority !== 0) report("priority", `${policy} has no priority`);
  if (nice !== 0 && (isRealtime || policy === "SCHED_DEADLINE"))
    report("nice", `${policy} has no nice value`);
  if (policy !== "SCHED_DEADLINE") {
    for (const field of ["runtime", "deadline", "period"] as const) {
      if ((scheduler[field] ?? 0) > 0) report(field, `only SCHED_DEADLINE has a ${field}`);
    }
    return;
  }
  if (runtime <= 0) report("runtime", "SCHED_DEADLINE needs a runtime above 0");
  else if (deadline < runtime) report("deadline", "the deadline is shorter than the runtime");
  else if (period !== 0 && period !== 0n && period < deadline)
    report("period", "the period is shorter than the deadline");
}
