/**
 * Moving a process into a control group takes a lock whose first use after a pause waits for a grace period of RCU:
 * 5 to 15 ms on a version 1 host (measured; cgroup_threadgroup_rwsem). The wait is the same for any move, so a tiny
 * process, which runs a few steps in this memory, moves itself to where it already is, while the engine goes on
 * loading and planning; the container's own move then finds the lock ready.
 */
import { AT_FDCWD, O_WRONLY } from "../../linux/abi/fcntl.ts";
import { CLONE_VM, SIGCHLD } from "../../linux/abi/sched.ts";
import { call } from "../../linux/call.ts";
import { encodeProgram } from "../../linux/encode.ts";
import { runSteps } from "../../linux/machine.ts";
import { allocatePages } from "../../linux/memory.ts";
import { Program } from "../../linux/program.ts";
import { exists, readSmallText } from "../../linux/small_file.ts";

const PAGES_SIZE = 8192;
const CELL_SIZE = 64;
const PID_OFFSET = 16;
const WNOHANG = 1;

/** Starts the move. @returns a function that reaps the process; undefined where no group would be joined. */
export function warmUpCgroups(): (() => void) | undefined {
  const hierarchy = "/sys/fs/cgroup/pids";
  if (!exists(`${hierarchy}/cgroup.procs`)) return undefined;
  const own = /^\d+:pids:(.*)$/m.exec(readSmallText("/proc/self/cgroup") ?? "")?.[1] ?? "/";
  const pages = allocatePages(PAGES_SIZE);
  const program = planMove(`${hierarchy}${own === "/" ? "" : own}/cgroup.procs`, pages.address + PID_OFFSET);
  pages.bytes.set(encodeProgram(program, pages.address + CELL_SIZE).bytes, CELL_SIZE);
  runSteps(pages.address + CELL_SIZE, pages.address);
  const pid = new DataView(pages.bytes.buffer).getInt32(PID_OFFSET, true);
  return pid <= 0 ? undefined : () => call("wait4", pid, null, WNOHANG, null);
}

function planMove(path: string, pid: number): Program {
  const program = new Program();
  const child = program.label();
  const back = program.label();
  program
    .clone(CLONE_VM | SIGCHLD)
    .storeAt(pid)
    .onZero(child)
    .onPositive(back)
    .onError(back);
  program.place(back).returns();
  program.place(child);
  program.write(program.openat(AT_FDCWD, path, O_WRONLY).result, "0", 1).ignoreErrors();
  program.place(program.giveUp).exit_group(0).ignoreErrors();
  return program;
}
