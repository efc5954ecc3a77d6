/** Waiting for a process: waitid(2) on a pidfd. */
import { CLD_EXITED, P_PIDFD, WEXITED } from "./abi/sched.ts";
import { call } from "./call.ts";

/** How a process ended. */
export type Exit = { readonly code: number } | { readonly signal: number };

/** Offsets into struct siginfo. */
const SI_CODE = 8;
const SI_STATUS = 24;

/** Waits until the process ends, and reaps it. Blocks this thread; signals are handled meanwhile. */
export function waitForExit(pidfd: number): Exit {
  const info = new Uint8Array(new ArrayBuffer(128));
  call("waitid", P_PIDFD, pidfd, info, WEXITED, null);
  const view = new DataView(info.buffer);
  const status = view.getInt32(SI_STATUS, true);
  return view.getInt32(SI_CODE, true) === CLD_EXITED ? { code: status } : { signal: status };
}
