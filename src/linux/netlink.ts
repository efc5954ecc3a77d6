/**
 * A conversation with the kernel over a routing socket: rtnetlink(7). A socket belongs to the network namespace it was made
 * in, whoever uses it. It is written and read like a file: what has no address goes to the kernel.
 */
import {
  AF_NETLINK,
  NETLINK_ROUTE,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
} from "./abi/rtnetlink.ts";
import { SOCK_CLOEXEC, SOCK_RAW } from "./abi/socket.ts";
import { call, SyscallError } from "./call.ts";
import {
  decodeMessages,
  encodeMessage,
  type NetlinkMessage,
  type ReceivedMessage,
} from "./netlink_message.ts";

/** Largest datagram; the kernel's own do not exceed 32 KiB. */
const DATAGRAM_SIZE_MAX = 65536;
/** Messages of one answer: more interfaces or addresses than a machine has. */
const MESSAGES_MAX = 100_000;
/** How often a list is asked for again that changed meanwhile. */
const DUMPS_MAX = 10;

/** Arguments of socket(2) for a routing socket. */
export const ROUTE_SOCKET = [AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE] as const;

/** A routing socket; closed when disposed of. */
export class RouteSocket implements Disposable {
  readonly #fd: number;
  #sequence = 0;

  /** Takes a socket over [a new one in this process's namespace]. */
  constructor(fd = call("socket", ...ROUTE_SOCKET)) {
    this.#fd = fd;
  }

  /** Makes a change, or asks for one thing. @throws {SyscallError} `what` with the kernel's error. */
  request(
    what: string,
    message: Omit<NetlinkMessage, "flags"> & { readonly flags?: number },
  ): ReceivedMessage[] {
    const flags = (message.flags ?? 0) | NLM_F_REQUEST | NLM_F_ACK;
    return this.#exchange(what, { ...message, flags }).messages;
  }

  /** Lists things. @throws {SyscallError} `what` with the kernel's error. */
  dump(what: string, message: Omit<NetlinkMessage, "flags">): ReceivedMessage[] {
    for (let rest = DUMPS_MAX; ; rest--) {
      const { messages, interrupted } = this.#exchange(what, {
        ...message,
        flags: NLM_F_REQUEST | NLM_F_DUMP,
      });
      if (!interrupted) return messages;
      if (rest === 1) throw new RangeError(`Cannot list with ${what}: the list changes all the time`);
    }
  }

  #exchange(what: string, message: NetlinkMessage) {
    const sequence = ++this.#sequence;
    const bytes = encodeMessage(message, sequence);
    call("write", this.#fd, bytes, bytes.length);
    const messages: ReceivedMessage[] = [];
    let interrupted = false;
    for (;;) {
      for (const received of this.#receive()) {
        // Left over from an answer that was given up.
        if (received.sequence !== sequence) continue;
        interrupted ||= (received.flags & NLM_F_DUMP_INTR) !== 0;
        if (isLast(what, received)) return { messages, interrupted };
        if (messages.push(received) > MESSAGES_MAX)
          throw new RangeError(`Cannot read the answer to ${what}: too long`);
      }
    }
  }

  #receive(): readonly ReceivedMessage[] {
    const room = new Uint8Array(new ArrayBuffer(DATAGRAM_SIZE_MAX));
    const count = call("read", this.#fd, room, room.length);
    if (count === room.length) throw new RangeError("Cannot read an answer of netlink: it is cut off");
    return decodeMessages(room.subarray(0, count));
  }

  [Symbol.dispose](): void {
    call("close", this.#fd);
  }
}

/** Whether the answer ends with this message. @throws {SyscallError} when it is an error. */
function isLast(what: string, { type, payload }: ReceivedMessage): boolean {
  if (type !== NLMSG_ERROR && type !== NLMSG_DONE) return false;
  const errno = payload.length < 4 ? 0 : -new DataView(payload.buffer, payload.byteOffset).getInt32(0, true);
  if (errno > 0) throw new SyscallError({ name: "write", text: what, errno });
  return true;
}
