/**
 * The form of a seccomp profile that the compiler takes: names and conditions only, everything that depends on
 * capabilities, architecture or kernel version decided.
 *
 * Meaning of a policy for one system call: of all rules that name it and whose conditions hold, the strictest
 * action wins, in the kernel's own order between filters (seccomp(2): KILL_PROCESS, KILL_THREAD, TRAP, ERRNO,
 * USER_NOTIF, TRACE, LOG, ALLOW); of equal actions the first. When none holds, the default return. So the order
 * of rules never loosens a policy.
 */

import {
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_DATA,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_LOG,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_TRAP,
  SECCOMP_RET_USER_NOTIF,
} from "../../linux/abi/seccomp.ts";

/** How an argument is compared, unsigned; `masked_eq` is `(argument & value) == (valueTwo & value)`, `masked_ne` its opposite. */
export type Comparison = "ne" | "lt" | "le" | "eq" | "ge" | "gt" | "masked_eq" | "masked_ne";

/** A test of one argument of a system call. */
export interface Condition {
  /** 0 to 5 */
  readonly index: number;
  readonly op: Comparison;
  /** 0 to 2^64-1 */
  readonly value: bigint;
  /** Used by `masked_eq` and `masked_ne` alone. */
  readonly valueTwo: bigint;
}

/** What happens to some system calls when all conditions hold; always, when there are none. */
export interface PolicyRule {
  readonly names: readonly string[];
  /** SECCOMP_RET_* with its data. */
  readonly ret: number;
  readonly conditions: readonly Condition[];
}

/** A resolved profile. */
export interface Policy {
  /** SECCOMP_RET_* with its data, for system calls that no rule decides. */
  readonly defaultReturn: number;
  readonly rules: readonly PolicyRule[];
  /** Architectures whose system calls are decided; those of any other kill the process. */
  readonly architectures: readonly SeccompArchName[];
}

/** Architectures with a table of numbers, named as in the runtime-spec without `SCMP_ARCH_`. */
export type SeccompArchName = "X86_64" | "X86" | "X32" | "AARCH64" | "ARM";

/** Actions from the strictest to the mildest, as the kernel orders them. */
const BY_STRICTNESS = [
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_TRAP,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_USER_NOTIF,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_LOG,
  SECCOMP_RET_ALLOW,
];

/** Orders returns: 0 is the strictest. */
export function strictness(ret: number): number {
  // Unsigned: KILL_PROCESS has the sign bit.
  return BY_STRICTNESS.indexOf((ret & ~SECCOMP_RET_DATA) >>> 0);
}

/** Whether a call goes on to the kernel by this return. */
export function isPermissive(ret: number): boolean {
  return strictness(ret) >= strictness(SECCOMP_RET_LOG);
}

/** Return value that makes the call fail with `errno`. */
export function errnoReturn(errno: number): number {
  return SECCOMP_RET_ERRNO | errno;
}
