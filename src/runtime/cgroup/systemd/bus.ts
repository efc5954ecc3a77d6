/**
 * A connection to systemd by D-Bus: its own socket, where nobody stands between, or the bus. One call at a time, and signals
 * that arrive meanwhile are kept.
 */
import { EAGAIN } from "../../../linux/abi/errno.ts";
import { MSG_NOSIGNAL, SOL_SOCKET } from "../../../linux/abi/socket.ts";
import { call, callRaw, SyscallError } from "../../../linux/call.ts";
import { connectUnix } from "../../../linux/unix_socket.ts";
import { CgroupError } from "../cgroup_error.ts";
import {
  decodeMessage,
  ERROR,
  encodeMessage,
  METHOD_CALL,
  METHOD_RETURN,
  type Message,
  messageSize,
  PREFIX_SIZE,
  SIGNAL,
} from "./message.ts";
import type { Value } from "./wire.ts";

/** systemd said no; `errorName` is that of D-Bus. */
export class BusError extends CgroupError {
  readonly errorName: string;

  constructor(errorName: string, message: string) {
    super(`Cannot use systemd: ${message || errorName}`);
    this.errorName = errorName;
  }
}

/** A method and what it is given. */
export interface Method {
  readonly destination?: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature: string;
  readonly body: readonly Value[];
}

/** How long systemd may think; it may start a job behind others. */
const ANSWER_SECONDS_MAX = 30;
/** More signals than come between a call and the end of its job. */
const SIGNALS_MAX = 10_000;
const GREETING_SIZE_MAX = 4096;
const SO_RCVTIMEO = 20;

const BUS = {
  destination: "org.freedesktop.DBus",
  path: "/org/freedesktop/DBus",
  interface: "org.freedesktop.DBus",
} as const;

/** The connection; closed by its disposal. */
export class Bus implements Disposable {
  readonly #socket: number;
  #serial = 0;
  #received = new Uint8Array(0);
  readonly #signals: Message[] = [];

  private constructor(socket: number) {
    this.#socket = socket;
  }

  /**
   * Connects to a socket and says who is there, by the credentials that the kernel passes.
   * @throws {SyscallError | CgroupError}
   */
  static connect(path: string): Bus {
    const bus = new Bus(connectUnix(path));
    try {
      const timeout = BigInt64Array.of(BigInt(ANSWER_SECONDS_MAX), 0n);
      call(
        "setsockopt",
        bus.#socket,
        SOL_SOCKET,
        SO_RCVTIMEO,
        new Uint8Array(timeout.buffer),
        timeout.byteLength,
      );
      bus.#authenticate();
      return bus;
    } catch (error) {
      bus[Symbol.dispose]();
      throw error;
    }
  }

  /** Takes a name on the bus, which its daemon wants before anything else. @returns the name */
  register(): string {
    return this.call({ ...BUS, member: "Hello", signature: "", body: [] })[0] as string;
  }

  /** Asks the bus's daemon for signals. @param rule e.g. `type='signal',member='JobRemoved'` */
  addMatch(rule: string): void {
    this.call({ ...BUS, member: "AddMatch", signature: "s", body: [rule] });
  }

  /** Sends a call without waiting for its answer. @returns its serial number */
  send(method: Method): number {
    this.#serial += 1;
    this.#write(encodeMessage({ type: METHOD_CALL, serial: this.#serial, ...method }));
    return this.#serial;
  }

  /** Calls a method. @returns what it returns @throws {BusError} */
  call(method: Method): readonly Value[] {
    const serial = this.send(method);
    for (;;) {
      const message = this.receive();
      if (message.replySerial !== serial) this.#keep(message);
      else if (message.type === METHOD_RETURN) return message.body;
      else if (message.type === ERROR)
        throw new BusError(message.errorName ?? "", String(message.body[0] ?? ""));
    }
  }

  /** The next signal that `wanted` says yes to. @throws {CgroupError} when none comes in 30 seconds */
  awaitSignal(wanted: (message: Message) => boolean): Message {
    const index = this.#signals.findIndex(wanted);
    if (index >= 0) return this.#signals.splice(index, 1)[0] as Message;
    const end = performance.now() + ANSWER_SECONDS_MAX * 1000;
    while (performance.now() < end) {
      const message = this.receive();
      if (message.type === SIGNAL && wanted(message)) return message;
    }
    throw new CgroupError(`Cannot use systemd: no signal in ${ANSWER_SECONDS_MAX} s`);
  }

  /** The next message, whatever it is. */
  receive(): Message {
    const size = messageSize(this.#peek(PREFIX_SIZE));
    const message = decodeMessage(this.#peek(size));
    this.#received = this.#received.slice(size);
    return message;
  }

  [Symbol.dispose](): void {
    call("close", this.#socket);
  }

  #keep(message: Message): void {
    if (message.type === SIGNAL && this.#signals.length < SIGNALS_MAX) this.#signals.push(message);
  }

  /**
   * EXTERNAL without a name: in a user namespace the own number of the user is not the one that systemd sees. BEGIN goes with
   * the rest, as libsystemd sends it: systemd 252 does not look at a first message that it reads together with BEGIN until
   * another one comes (seen as a call without an answer).
   */
  #authenticate(): void {
    this.#write(new TextEncoder().encode("\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n"));
    let text = "";
    while (!/^(OK|REJECTED|ERROR).*\r\n/m.test(text)) {
      if (text.length > GREETING_SIZE_MAX) break;
      this.#fill();
      text = new TextDecoder().decode(this.#received);
    }
    if (!/^OK /m.test(text)) throw new CgroupError("Cannot use systemd: it does not let this user in");
    this.#received = new Uint8Array(0);
  }

  #write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const rest = Uint8Array.from(bytes.subarray(done));
      done += call("sendto", this.#socket, rest, rest.length, MSG_NOSIGNAL, null, 0);
    }
  }

  #peek(size: number): Uint8Array {
    while (this.#received.length < size) this.#fill();
    return this.#received.subarray(0, size);
  }

  #fill(): void {
    const chunk = new Uint8Array(new ArrayBuffer(16384));
    const count = callRaw("read", this.#socket, chunk, chunk.length);
    if (count === -EAGAIN) throw new CgroupError(`Cannot use systemd: no answer in ${ANSWER_SECONDS_MAX} s`);
    if (count === 0) throw new CgroupError("Cannot use systemd: it has closed the connection");
    if (count < 0) throw new SyscallError({ name: "read", text: "read(socket of D-Bus)", errno: -count });
    const joined = new Uint8Array(this.#received.length + count);
    joined.set(this.#received);
    joined.set(chunk.subarray(0, count), this.#received.length);
    this.#received = joined;
  }
}
