/**
 * One system call from TypeScript: the number by name, EINTR retried, a failure thrown as it would look in strace.
 * Wrappers named like the manual pages stand in the files beside this one.
 */
import { BunkerError } from "../errors.ts";
import { EINTR, errnoName } from "./abi/errno.ts";
import { numbers, type SyscallName } from "./abi/numbers.ts";
import { architecture, syscall6 } from "./machine.ts";

/** What a system call can be given; a Uint8Array is passed by its address and kept alive during the call. */
export type Argument = number | bigint | Uint8Array | null;

/** A system call failed; the message is the call as strace(1) prints it. */
export class SyscallError extends BunkerError {
  /** Name of the error, e.g. `"ENOENT"`. */
  readonly code: string;
  readonly syscall: string;
  readonly errno: number;

  constructor(call: { readonly name: string; readonly text: string; readonly errno: number }, hint?: string) {
    super(`${call.text}: ${errnoName(call.errno)}`, hint === undefined ? {} : { hint });
    this.syscall = call.name;
    this.errno = call.errno;
    this.code = errnoName(call.errno);
  }
}

/** Makes the call once more when a signal interrupted it; the result, or the negated error number. */
export function callRaw(
  name: SyscallName,
  a: Argument = 0,
  b: Argument = 0,
  c: Argument = 0,
  d: Argument = 0,
  e: Argument = 0,
  f: Argument = 0,
): number {
  const nr = numbers[name][architecture] as number;
  for (;;) {
    const result = syscall6(nr, a, b, c, d, e, f);
    // close(2) is not retried: on Linux the descriptor is gone even when EINTR is answered.
    if (result !== -EINTR || name === "close") return result;
  }
}

/** Makes the call. @throws {SyscallError} with the call's name, arguments and error. */
export function call(
  name: SyscallName,
  a?: Argument,
  b?: Argument,
  c?: Argument,
  d?: Argument,
  e?: Argument,
  f?: Argument,
): number {
  const result = callRaw(name, a, b, c, d, e, f);
  if (result >= 0 || result < -4095) return result;
  const args = [a, b, c, d, e, f].filter((argument) => argument !== undefined);
  throw new SyscallError({ name, text: formatCall(name, args), errno: -result });
}

const encoder = new TextEncoder();

/**
 * Bytes of `text` with a NUL after them, as the kernel wants strings.
 * @throws {TypeError} when `text` holds a NUL itself: the kernel would silently use the part before it.
 */
export function cstr(text: string | Uint8Array): Uint8Array {
  const bytes = typeof text === "string" ? encoder.encode(text) : text;
  if (bytes.includes(0))
    throw new TypeError(`Cannot pass ${JSON.stringify(String(text))} to the kernel: it holds a NUL`);
  const terminated = new Uint8Array(new ArrayBuffer(bytes.length + 1));
  terminated.set(bytes);
  return terminated;
}

/** Longest string shown whole in a message. */
const SHOWN_MAX = 256;

/** The call as strace prints it: `openat(-100, "/x", 0x80000)`. */
export function formatCall(name: string, args: readonly Argument[]): string {
  return `${name}(${args.map(formatArgument).join(", ")})`;
}

function formatArgument(argument: Argument): string {
  if (argument === null) return "NULL";
  if (argument instanceof Uint8Array) return formatBytes(argument);
  const value = Number(argument);
  return value < 0 || value < 1024 ? String(argument) : `0x${argument.toString(16)}`;
}

function formatBytes(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  if (end !== bytes.length - 1) return `[${bytes.length} bytes]`;
  const text = new TextDecoder().decode(bytes.subarray(0, Math.min(end, SHOWN_MAX)));
  return JSON.stringify(text) + (end > SHOWN_MAX ? "..." : "");
}
