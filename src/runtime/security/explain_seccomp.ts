/**
 * Which system call of a start the filter has refused. The kernel does not tell: a refused execve(2) looks as if the file
 * could not be executed, and a killed process says no more than SIGSYS. So the filter is run here on the calls that
 * the program makes under it. Loaded after a failure only.
 */
import { ENOSYS, errnoName } from "../../linux/abi/errno.ts";
import { numbers } from "../../linux/abi/numbers.ts";
import {
  AUDIT_ARCH_AARCH64,
  AUDIT_ARCH_X86_64,
  BPF_ALU_AND_K,
  BPF_JMP_JA,
  BPF_JMP_JEQ_K,
  BPF_JMP_JGE_K,
  BPF_JMP_JGT_K,
  BPF_LD_W_ABS,
  BPF_RET_K,
  SECCOMP_ARGS_MAX,
  SECCOMP_RET_DATA,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_TRAP,
  SECCOMP_RET_USER_NOTIF,
  SOCK_FILTER_SIZE,
} from "../../linux/abi/seccomp.ts";
import type { Step } from "../../linux/step.ts";

/** How a program has ended. */
export type FilteredEnd =
  | { readonly step: Step; readonly errno: number }
  /** Killed by SIGSYS; `steps` are the calls under the filter in their order. */
  | { readonly steps: readonly Step[] };

/** `SCMP_ACT_ERRNO EPERM`, without the number that goes with it. */
const ACTIONS: ReadonlyMap<number, string> = new Map([
  [SECCOMP_RET_KILL_PROCESS, "SCMP_ACT_KILL_PROCESS"],
  [SECCOMP_RET_KILL_THREAD, "SCMP_ACT_KILL_THREAD"],
  [SECCOMP_RET_TRAP, "SCMP_ACT_TRAP"],
  [SECCOMP_RET_ERRNO, "SCMP_ACT_ERRNO"],
  [SECCOMP_RET_USER_NOTIF, "SCMP_ACT_NOTIFY"],
  [SECCOMP_RET_TRACE, "SCMP_ACT_TRACE"],
]);

/** A sentence that names the refused call; undefined when it was not the filter. */
export function explainSeccomp(filter: Uint8Array, end: FilteredEnd): string | undefined {
  if ("errno" in end) {
    const ret = answerTo(filter, end.step);
    return ret !== undefined && refusesWith(ret, end.errno) ? sentence(end.step, ret) : undefined;
  }
  for (const step of end.steps) {
    const ret = answerTo(filter, step);
    if (ret !== undefined && kills(ret)) return sentence(step, ret);
  }
  return undefined;
}

function sentence({ name }: Step, ret: number): string {
  const action = actionOf(ret);
  const errno = action === SECCOMP_RET_ERRNO ? ` ${errnoName(ret & SECCOMP_RET_DATA)}` : "";
  return `the seccomp filter answers ${name}(2) with ${ACTIONS.get(action)}${errno}`;
}

const actionOf = (ret: number): number => (ret & ~SECCOMP_RET_DATA) >>> 0;

const kills = (ret: number): boolean =>
  [SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP].includes(actionOf(ret));

/** Without an agent or a tracer the kernel answers ENOSYS (seccomp(2)). */
function refusesWith(ret: number, errno: number): boolean {
  const action = actionOf(ret);
  if (action === SECCOMP_RET_ERRNO) return (ret & SECCOMP_RET_DATA) === errno;
  return errno === ENOSYS && (action === SECCOMP_RET_TRACE || action === SECCOMP_RET_USER_NOTIF);
}

/** What the filter answers to a step; undefined for operations of the loop, which are no calls. */
function answerTo(filter: Uint8Array, { name, args }: Step): number | undefined {
  if (!Object.hasOwn(numbers, name)) return undefined;
  const arm64 = process.arch === "arm64";
  // struct seccomp_data: number, architecture, instruction pointer, arguments; what only the program knew counts as 0.
  const words = new Uint32Array(4 + 2 * SECCOMP_ARGS_MAX);
  words[0] = numbers[name as keyof typeof numbers][arm64 ? 1 : 0];
  words[1] = arm64 ? AUDIT_ARCH_AARCH64 : AUDIT_ARCH_X86_64;
  for (const [index, argument] of args.entries()) {
    if (typeof argument !== "number" && typeof argument !== "bigint") continue;
    const value = BigInt.asUintN(64, BigInt(argument));
    words[4 + 2 * index] = Number(value & 0xffff_ffffn);
    words[5 + 2 * index] = Number(value >> 32n);
  }
  return runFilter(filter, words);
}

/** The return value for one call; jumps only go forwards, so it ends. */
function runFilter(filter: Uint8Array, words: Uint32Array): number | undefined {
  const view = new DataView(filter.buffer, filter.byteOffset, filter.byteLength);
  let accumulator = 0;
  for (let at = 0; at * SOCK_FILTER_SIZE < filter.length; at++) {
    const offset = at * SOCK_FILTER_SIZE;
    const k = view.getUint32(offset + 4, true);
    const jump = (holds: boolean): number => view.getUint8(offset + (holds ? 2 : 3));
    const code = view.getUint16(offset, true);
    if (code === BPF_RET_K) return k;
    if (code === BPF_LD_W_ABS) accumulator = words[k / 4] ?? 0;
    else if (code === BPF_ALU_AND_K) accumulator = (accumulator & k) >>> 0;
    else if (code === BPF_JMP_JA) at += k;
    else if (code === BPF_JMP_JEQ_K) at += jump(accumulator === k);
    else if (code === BPF_JMP_JGT_K) at += jump(accumulator > k);
    else if (code === BPF_JMP_JGE_K) at += jump(accumulator >= k);
    else return undefined;
  }
  return undefined;
}
