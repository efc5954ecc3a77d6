/** `--pidfd-socket`: the caller gets a descriptor of the process, which no other process can come to mean later. */
import { call } from "../../linux/call.ts";
import { sendFd } from "../../linux/socket_pair.ts";
import { connectUnix } from "../../linux/unix_socket.ts";
import { RuntimeError } from "./context.ts";

/** What the descriptor is of, in runc's words: the container's first process, or one of exec. */
export type PidfdName = "standard" | "setns";

/** Sends a pidfd of process `pid`, a child of this one that is not reaped. @throws {RuntimeError} */
export function sendPidfd(path: string, pid: number, name: PidfdName): void {
  try {
    const socket = connectUnix(path);
    try {
      const pidfd = call("pidfd_open", pid, 0);
      sendFd(socket, new TextEncoder().encode(name), pidfd);
      call("close", pidfd);
    } finally {
      call("close", socket);
    }
  } catch (cause) {
    throw new RuntimeError(`cannot send the pidfd to "${path}"`, {
      cause,
      hint: "--pidfd-socket takes a unix socket on which the receiver listens",
    });
  }
}
