/**
 * The engine's side of a filter that notifies: takes the listener out of the program, and sends it to the agent with the
 * container's state (config-linux.md#containerprocessstate), one connection for each.
 */
import { BunkerError } from "../errors.ts";
import { POLLIN } from "../linux/abi/fcntl.ts";
import { SIGKILL } from "../linux/abi/sched.ts";
import { call } from "../linux/call.ts";
import { sendFd } from "../linux/socket_pair.ts";
import { connectUnix } from "../linux/unix_socket.ts";
import { listenerLayout } from "./process/seccomp.ts";

/** The agent of a seccomp filter cannot be reached. */
export class SeccompAgentError extends BunkerError {
  readonly code = "SECCOMP_AGENT";
}

/** Whose listener goes where. */
export interface ListenerTask {
  readonly pidfd: number;
  readonly pid: number;
  /** The program's report page. */
  readonly page: Uint8Array;
  readonly listener: { readonly path: string; readonly metadata: string | undefined };
  /** runtime.md#state; its `ociVersion` is that of the message too. */
  readonly state: { readonly ociVersion: string };
}

/** How long the program may take to load its filter, in milliseconds, looked for at steps of one. */
const LOADED_MS_MAX = 30_000;

/**
 * Waits until the program has loaded its filter, and delivers the listener.
 * @returns false when the program has ended before; its report says why.
 * @throws {SeccompAgentError} when the agent is not there; the program has been killed.
 */
export function serveListener(task: ListenerTask): boolean {
  try {
    return serve(task);
  } catch (error) {
    // It would look at its page for seconds.
    call("pidfd_send_signal", task.pidfd, SIGKILL, null, 0);
    throw new SeccompAgentError(`Cannot reach the seccomp agent at "${task.listener.path}"`, {
      cause: error,
      hint: "Start the agent that linux.seccomp.listenerPath names before the container",
    });
  }
}

function serve({ pidfd, pid, page, listener, state }: ListenerTask): boolean {
  const socket = connectUnix(listener.path);
  try {
    const number = waitForListener(pidfd, page);
    if (number === undefined) return false;
    const { metadata } = listener;
    const message = { ociVersion: state.ociVersion, fds: ["seccompFd"], pid, metadata, state };
    const fd = call("pidfd_getfd", pidfd, number, 0);
    try {
      sendFd(socket, new TextEncoder().encode(JSON.stringify(message)), fd);
    } finally {
      call("close", fd);
    }
    viewOf(page).setUint32(listenerLayout.taken, 1, true);
    return true;
  } finally {
    call("close", socket);
  }
}

/** The listener's number in the program; undefined when the program has ended, or the kernel has refused the filter. */
function waitForListener(pidfd: number, page: Uint8Array): number | undefined {
  const view = viewOf(page);
  const poll = new Uint8Array(Int32Array.of(pidfd, POLLIN).buffer);
  const step = new Uint8Array(BigInt64Array.of(0n, 1_000_000n).buffer);
  for (let waited = 0; waited < LOADED_MS_MAX; waited++) {
    const number = Number(view.getBigInt64(listenerLayout.listener, true));
    if (number !== 0) return number < 0 ? undefined : number;
    if (call("ppoll", poll, 1, step.slice(), null, 0) > 0) return undefined;
  }
  throw new Error("Cannot take the seccomp listener: the program has not loaded its filter in 30 seconds");
}

const viewOf = (page: Uint8Array): DataView => new DataView(page.buffer, page.byteOffset, page.byteLength);
