/**
 * When, where and with which memory the process runs: sched_setattr(2), ioprio_set(2), sched_setaffinity(2),
 * set_mempolicy(2), personality(2). All of it survives execve(2).
 */
import {
  IOPRIO_CLASS_SHIFT,
  IOPRIO_CLASSES,
  IOPRIO_LEVEL_MAX,
  IOPRIO_WHO_PROCESS,
  MEMORY_POLICIES,
  MEMORY_POLICY_FLAGS,
  PERSONALITIES,
  SCHED_ATTR_SIZE,
  SCHED_FLAGS,
  SCHED_POLICIES,
} from "../../linux/abi/scheduling.ts";
import type { Program } from "../../linux/program.ts";
import type { IoPriority, Linux, MemoryPolicy, Scheduler } from "../../oci/bundle/config.ts";
import { parseNumberList } from "./number_list.ts";
import { type Field, namedValue, refuse } from "./refusal.ts";

const PROCESS_SECTION = "config.md#linux-process";
const U64_MAX = 0xffff_ffff_ffff_ffffn;

const processField = (name: string): Field => ({ path: `process.${name}`, section: PROCESS_SECTION });

/** struct sched_attr of `scheduler`. @throws {ConfigError} for a name that the kernel does not have. */
export function schedulerAttributes(scheduler: Scheduler): Uint8Array {
  const attributes = new Uint8Array(new ArrayBuffer(SCHED_ATTR_SIZE));
  const view = new DataView(attributes.buffer);
  view.setUint32(0, SCHED_ATTR_SIZE, true);
  view.setUint32(4, namedValue(SCHED_POLICIES, scheduler.policy, processField("scheduler.policy")), true);
  view.setUint32(8, flagsOf(SCHED_FLAGS, scheduler.flags, processField("scheduler.flags")), true);
  view.setInt32(16, scheduler.nice ?? 0, true);
  view.setUint32(20, scheduler.priority ?? 0, true);
  for (const [index, name] of (["runtime", "deadline", "period"] as const).entries()) {
    const value = BigInt(scheduler[name] ?? 0);
    if (value < 0n || value > U64_MAX) refuse(processField(`scheduler.${name}`), "not a time in nanoseconds");
    view.setBigUint64(24 + 8 * index, value, true);
  }
  return attributes;
}

/** What ioprio_set(2) takes. @throws {ConfigError} for a class or level that the kernel does not have. */
export function ioPriorityValue({ class: name, priority }: IoPriority): number {
  if (!(Number.isInteger(priority) && priority >= 0 && priority <= IOPRIO_LEVEL_MAX)) {
    refuse(processField("ioPriority.priority"), `${priority} is not a level from 0 to ${IOPRIO_LEVEL_MAX}`);
  }
  const ioClass = namedValue(IOPRIO_CLASSES, name, processField("ioPriority.class"));
  return (ioClass << IOPRIO_CLASS_SHIFT) | priority;
}

/** Scheduling policy and priority for input and output. */
export function planScheduling(
  program: Program,
  { scheduler, ioPriority }: { readonly scheduler?: Scheduler; readonly ioPriority?: IoPriority },
): void {
  if (scheduler !== undefined) {
    program.section(`set the scheduler ${scheduler.policy}`);
    program.step("sched_setattr", 0, schedulerAttributes(scheduler), 0);
  }
  if (ioPriority === undefined) return;
  program.section(`set the I/O priority ${ioPriority.class}`);
  program.step("ioprio_set", IOPRIO_WHO_PROCESS, 0, ioPriorityValue(ioPriority));
}

/** Longest mask of processors, in bytes: 8192 of them, the most that Linux can be built for. */
const AFFINITY_SIZE_MAX = 1024;

/** Binds the process to the processors of a list; `field` is what asks for it. */
export function planAffinity(program: Program, list: string, field: Field): void {
  const mask = parseNumberList(list, field);
  program.section(`bind to the processors ${list}`).step("sched_setaffinity", 0, mask.length, mask);
}

/**
 * Takes back what the caller of the runtime was bound to: what counts for a container is its cgroup's cpuset, which
 * the kernel cuts the mask to.
 */
export function planWholeAffinity(program: Program): void {
  const mask = new Uint8Array(AFFINITY_SIZE_MAX).fill(0xff);
  program.section("use every processor").step("sched_setaffinity", 0, mask.length, mask).ignoreErrors();
}

/** config-linux.md#memory-policy */
export function planMemoryPolicy(program: Program, { mode, nodes, flags }: MemoryPolicy): void {
  const field = (name: string): Field => ({
    path: `linux.memoryPolicy.${name}`,
    section: "config-linux.md#memory-policy",
  });
  const policy = namedValue(MEMORY_POLICIES, mode, field("mode"));
  const bits = flagsOf(MEMORY_POLICY_FLAGS, flags, field("flags"));
  program.section(`set the memory policy ${mode}`);
  if (nodes === undefined || nodes === "") {
    program.step("set_mempolicy", policy | bits, null, 0);
    return;
  }
  const mask = parseNumberList(nodes, field("nodes"));
  // The kernel looks at one bit less than it is told (set_mempolicy(2), "BUGS" of get_mempolicy(2)).
  program.step("set_mempolicy", policy | bits, mask, mask.length * 8 + 1);
}

/** config-linux.md#personality; the specification has no flags so far. */
export function planPersonality(program: Program, { domain }: NonNullable<Linux["personality"]>): void {
  const field = { path: "linux.personality.domain", section: "config-linux.md#personality" };
  const persona = namedValue(PERSONALITIES, domain, field);
  program.section(`set the personality ${domain}`).step("personality", persona);
}

function flagsOf(
  names: Readonly<Record<string, number>>,
  flags: readonly string[] | undefined,
  field: Field,
): number {
  return (flags ?? []).reduce(
    (bits, name, index) => bits | namedValue(names, name, { ...field, path: `${field.path}[${index}]` }),
    0,
  );
}
