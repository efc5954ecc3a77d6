/** `kill`: a signal for the container's process, or for all that run in its control group (runtime.md#kill). */
import { EINVAL, ENOENT, ESRCH } from "../../linux/abi/errno.ts";
import { SIGKILL } from "../../linux/abi/sched.ts";
import { call, callRaw, SyscallError } from "../../linux/call.ts";
import { checkId } from "./container_id.ts";
import { type RuntimeContext, RuntimeError } from "./context.ts";
import { isAlive } from "./state.ts";
import { readStateFile, type StateFile } from "./state_file.ts";

/**
 * Sends `signal` to container `id`. With `all` a container that has ended is no error.
 * @throws {RuntimeError} "container not running" when its process is gone.
 */
export async function killContainer(
  id: string,
  signal: number,
  { all, context }: { readonly all: boolean; readonly context: RuntimeContext },
): Promise<void> {
  const file = readStateFile(`${context.root}/${checkId(id)}`);
  if (file === undefined) throw new RuntimeError("container does not exist");
  // Without a PID namespace of its own the first process does not take the others with it.
  const whole = all || (signal === SIGKILL && !file.ownsPids);
  if (whole && file.cgroup !== undefined && file.entered) {
    const { killCgroup } = await import("../../runtime/cgroup/processes.ts");
    killCgroup(file.cgroup, signal);
    if (all) return;
  }
  if (!signalProcess(file, signal) && !whole) throw new RuntimeError("container not running");
  if (signal === SIGKILL) await thaw(file);
}

/** Sends a signal to the container's process. @returns false when it has ended. */
export function signalProcess(file: StateFile, signal: number): boolean {
  const pidfd = openProcess(file);
  if (pidfd === undefined) return false;
  try {
    const sent = callRaw("pidfd_send_signal", pidfd, signal, null, 0);
    if (sent < 0 && sent !== -ESRCH) {
      throw new SyscallError({ name: "kill", text: `kill(${file.pid}, ${signal})`, errno: -sent });
    }
    return sent === 0;
  } finally {
    call("close", pidfd);
  }
}

/** Nobody has the id; or a thread of another process has it, which kernels answer differently (pidfd_open(2)). */
const NO_PROCESS = new Set([ESRCH, EINVAL, ENOENT]);

/** A pidfd of the container's process; undefined when it has ended. The id is looked at after it is held. */
export function openProcess(file: StateFile): number | undefined {
  if (file.pid === 0) return undefined;
  const pidfd = callRaw("pidfd_open", file.pid, 0);
  if (NO_PROCESS.has(-pidfd)) return undefined;
  if (pidfd < 0) {
    throw new SyscallError({ name: "pidfd_open", text: `pidfd_open(${file.pid})`, errno: -pidfd });
  }
  if (isAlive(file)) return pidfd;
  call("close", pidfd);
  return undefined;
}

/** A frozen process dies only when it is thawed, on version 1. */
async function thaw({ cgroup }: StateFile): Promise<void> {
  if (cgroup === undefined || cgroup.version !== 1) return;
  const { thawKilled } = await import("../../runtime/cgroup/processes.ts");
  thawKilled(cgroup);
}
