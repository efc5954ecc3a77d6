/**
 * `start`: lets the waiting program of a created container execute its command (runtime.md#start). The program holds the
 * fifo open until then, so the end of its last reader says that the command runs, or that the process is gone.
 */
import { ENXIO } from "../../linux/abi/errno.ts";
import { AT_FDCWD, O_CLOEXEC, O_NOFOLLOW, O_NONBLOCK, O_WRONLY } from "../../linux/abi/fcntl.ts";
import { SIGKILL } from "../../linux/abi/sched.ts";
import { call, callRaw, cstr } from "../../linux/call.ts";
import { openSharedPage } from "../../linux/memfd.ts";
import { report } from "../../linux/program_core.ts";
import { readSmallFile } from "../../linux/small_file.ts";
import { checkId } from "./container_id.ts";
import { type RuntimeContext, RuntimeError } from "./context.ts";
import { openProcess, signalProcess } from "./kill.ts";
import { isEnding, type Status, statusOf } from "./state.ts";
import { StateDirectory } from "./state_directory.ts";
import { readStateFile, type StateFile } from "./state_file.ts";

/** asm/ioctls.h */
const FIONREAD = 0x541b;

/** Starts the created container `id`. @throws {RuntimeError} when it is not created, or its command cannot run. */
export async function startContainer(id: string, context: RuntimeContext): Promise<void> {
  using directory = await StateDirectory.open(context.root, checkId(id));
  const file = readStateFile(directory.path);
  const status = file === undefined ? "stopped" : statusOf(file, { directory: directory.path, context });
  if (file === undefined || status !== "created") throw notCreated(status);
  await release(directory.path, file);
  await checkRelease(directory.path, file);
  await runPoststart(directory.path, file);
}

/** @throws {RuntimeError} that names the step at which the program has failed after it was let go. */
async function checkRelease(directory: string, file: StateFile): Promise<void> {
  const page = readSmallFile(`${directory}/report`);
  if (page?.[report.failed] === 0 && !(file.filtered && isEnding(file))) return;
  const { lateFailure } = await import("./late_failure.ts");
  await lateFailure(directory, file);
}

function notCreated(status: Status): RuntimeError {
  if (status === "stopped") return new RuntimeError("cannot start a container that has stopped");
  if (status === "creating") return new RuntimeError("cannot start a container that is being created");
  if (status === "paused") return new RuntimeError("cannot start a container in the paused state");
  return new RuntimeError("cannot start an already running container");
}

async function release(directory: string, file: StateFile): Promise<void> {
  const path = `${directory}/exec.fifo`;
  const flags = O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC;
  const fifo = callRaw("openat", AT_FDCWD, cstr(path), flags);
  // Nobody reads: the process is ending, or an earlier start died after its byte was taken.
  if (fifo === -ENXIO) {
    call("unlinkat", AT_FDCWD, cstr(path), 0);
    throw notCreated(isEnding(file) ? "stopped" : "running");
  }
  if (fifo < 0) throw new RuntimeError(`cannot open "${path}"`);
  try {
    call("write", fifo, new Uint8Array([0x30]), 1);
    call("unlinkat", AT_FDCWD, cstr(path), 0);
    if (file.listener !== undefined) await handOver(directory, file);
    waitForLastReader(fifo);
    // Killed before it took the byte: nothing was started.
    if (hasBytes(fifo)) throw notCreated("stopped");
  } finally {
    call("close", fifo);
  }
}

/** The filter's listener goes to its agent before the command runs. */
async function handOver(directory: string, file: StateFile): Promise<void> {
  const { deliverListener } = await import("./listener.ts");
  const pidfd = openProcess(file);
  if (pidfd === undefined) return;
  const page = openSharedPage(`${directory}/report`, report.size);
  try {
    deliverListener(file, { pidfd, page: page.bytes, pid: file.pid });
  } finally {
    call("munmap", page.address, page.bytes.length);
    call("close", page.fd);
    call("close", pidfd);
  }
}

/** struct pollfd without events: POLLERR is always reported, once a pipe has no reader left (poll(2)). */
function waitForLastReader(fifo: number): void {
  const watched = new Uint8Array(Int32Array.of(fifo, 0).buffer);
  call("ppoll", watched, 1, null, null, 8);
}

/** Whether something was written to a pipe that nobody has read, which either end can ask (pipe(7)). */
function hasBytes(fifo: number): boolean {
  const count = new Int32Array(new ArrayBuffer(4));
  call("ioctl", fifo, FIONREAD, new Uint8Array(count.buffer));
  return count[0] !== 0;
}

/** Runs the hooks that follow a start. @throws {HookError} with the container ended. */
export async function runPoststart(directory: string, file: StateFile): Promise<void> {
  if (!file.hooks.includes("poststart")) return;
  const { runStateHooks } = await import("./state_hooks.ts");
  try {
    runStateHooks("poststart", { directory, file, status: "running" });
  } catch (error) {
    // The container is ended, and it is the caller who deletes it: runtime.md#lifecycle.
    await endProcess(file);
    throw error;
  }
}

async function endProcess(file: StateFile): Promise<void> {
  const pidfd = openProcess(file);
  if (pidfd === undefined) return;
  const { awaitEnd } = await import("./delete.ts");
  try {
    signalProcess(file, SIGKILL);
    awaitEnd(pidfd);
  } finally {
    call("close", pidfd);
  }
}
