/**
 * Loading the filter of a bundle, and handing over its listener. After the filter the program makes no call that it has
 * not planned, since each may be answered by an agent that does not listen yet: it leaves the number of the listener
 * in the report page and looks, without a system call, until the engine has taken it (seccomp_agent.ts).
 *
 *     program                                   engine
 *     seccomp(NEW_LISTENER) ── number ────────▶ pidfd_getfd, sendmsg to the agent
 *     looks at the page      ◀── taken ──────── descriptor delivered
 */
import { ETIMEDOUT } from "../../linux/abi/errno.ts";
import { SECCOMP_SET_MODE_FILTER, SOCK_FILTER_SIZE } from "../../linux/abi/seccomp.ts";
import type { Program } from "../../linux/program.ts";
import { report, reportAddress } from "../../linux/program_core.ts";

/** Name of the section that loads the filter. */
const SECTION_SECCOMP = "load the seccomp filter";

/** Offsets into the report page, behind what hooks use. */
export const listenerLayout = {
  /** Number of the listener in the program; 0: not yet. 64 bits, negative: an error number. */
  listener: report.values + 64,
  /** Set by the engine: the listener has been delivered. */
  taken: report.values + 72,
} as const;

/** Looks at the page before the program gives up: some ten seconds of a processor, a hundred times what it takes. */
const LOOKS_MAX = 1e9;

/** What is loaded. */
export interface FilterPlan {
  /** Array of struct sock_filter. */
  readonly filter: Uint8Array;
  /** SECCOMP_FILTER_FLAG_* */
  readonly flags: number;
  /** The filter notifies: SECCOMP_FILTER_FLAG_NEW_LISTENER is among the flags. */
  readonly listener: object | undefined;
}

/** Loads the filter; the listener is closed by execve(2). */
export function planFilter(program: Program, { filter, flags, listener }: FilterPlan): void {
  program.section(SECTION_SECCOMP);
  // struct sock_fprog: a 16-bit count, padding, the address.
  const loaded = program.words(filter.length / SOCK_FILTER_SIZE, filter);
  const step = program.seccomp(SECCOMP_SET_MODE_FILTER, flags, loaded);
  if (listener === undefined) return;
  const look = program.label();
  const taken = program.label();
  const left = program.variable("looks");
  step.storeAt(reportAddress + listenerLayout.listener);
  program.section("wait for the agent of the seccomp filter").add(LOOKS_MAX, 0).into(left);
  program
    .place(look)
    .field(reportAddress + listenerLayout.taken, 0, 0xffffffff)
    .onPositive(taken);
  program.add(left, 0, 1).into(left).onPositive(look);
  program.fail(ETIMEDOUT);
  program.place(taken);
}
