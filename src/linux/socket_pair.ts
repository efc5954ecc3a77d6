/** A pair of connected sockets between the engine and a program: socketpair(2), and a descriptor sent over it. */
import { ECONNRESET } from "./abi/errno.ts";
import {
  AF_UNIX,
  CMSG_DATA,
  CMSG_LENGTH,
  CMSG_SPACE,
  MSG_CMSG_CLOEXEC,
  SCM_RIGHTS,
  SOCK_CLOEXEC,
  SOCK_STREAM,
  SOL_SOCKET,
} from "./abi/socket.ts";
import { call, callRaw, SyscallError } from "./call.ts";
import { writeAll } from "./memfd.ts";
import { addressOf } from "./memory.ts";

/** Two ends, both closed on exec. */
export function socketpair(): [number, number] {
  const fds = new Int32Array(new ArrayBuffer(8));
  call("socketpair", AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, new Uint8Array(fds.buffer));
  return [fds[0] as number, fds[1] as number];
}

/** What a program has sent: one letter, and perhaps a descriptor, which is closed on exec. */
export interface Message {
  readonly letter: number;
  readonly fd: number | undefined;
}

/** Receives one descriptor (SCM_RIGHTS, unix(7)), closed on exec; undefined when the other end was closed. */
export const receiveFd = (socket: number): number | undefined => receiveMessage(socket)?.fd;

/** Receives one letter, with the descriptor that came along; undefined when the other end was closed. */
export function receiveMessage(socket: number): Message | undefined {
  const data = new Uint8Array(new ArrayBuffer(8));
  const control = new Uint8Array(new ArrayBuffer(CMSG_SPACE));
  const iov = pointers(addressOf(data), 1);
  const message = pointers(0, 0, addressOf(iov), 1, addressOf(control), CMSG_SPACE, 0);
  const count = callRaw("recvmsg", socket, message, MSG_CMSG_CLOEXEC);
  // A program that is killed before it has read its answer resets the connection (unix(7)).
  if (count === 0 || count === -ECONNRESET) return undefined;
  if (count < 0) throw new SyscallError({ name: "recvmsg", text: `recvmsg(${socket})`, errno: -count });
  const view = new DataView(control.buffer);
  const fd = view.getUint32(0, true) === 0 ? undefined : view.getInt32(CMSG_DATA, true);
  return { letter: data[0] as number, fd };
}

const pointers = (...values: readonly number[]): Uint8Array =>
  new Uint8Array(BigUint64Array.from(values, BigInt).buffer);

/** Sends bytes with one descriptor (SCM_RIGHTS, unix(7)); `fd` stays open. @throws {SyscallError} EPIPE … */
export function sendFd(socket: number, bytes: Uint8Array, fd: number): void {
  const data = new Uint8Array(new ArrayBuffer(bytes.length));
  data.set(bytes);
  const control = new Uint8Array(new ArrayBuffer(CMSG_SPACE));
  new Uint32Array(control.buffer).set([CMSG_LENGTH, 0, SOL_SOCKET, SCM_RIGHTS, fd]);
  const iov = pointers(addressOf(data), data.length);
  const message = pointers(0, 0, addressOf(iov), 1, addressOf(control), CMSG_SPACE, 0);
  const sent = call("sendmsg", socket, message, 0);
  if (sent < data.length) writeAll(socket, data.slice(sent));
}
