/** Waiting for a process: waitid(2) on a pidfd. */
import { CLD_EXITED, P_PIDFD, SI_CODE, SI_STATUS, SIGINFO_SIZE, WEXITED, WNOHANG } from "./abi/sched.ts";
import { call } from "./call.ts";

/** How a process ended. */
export type Exit = { readonly code: number } | { readonly signal: number };

/** Waits until the process ends, and reaps it. Blocks this thread; signals are handled meanwhile. */
export function waitForExit(pidfd: number): Exit {
  return wait(pidfd, WEXITED) as Exit;
}

const FIRST_PAUSE_MS = 1;
const LAST_PAUSE_MS = 25;

/** The same without blocking the thread: looks again after pauses of 1 to 25 ms. */
export async function pollForExit(pidfd: number): Promise<Exit> {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LAST_PAUSE_MS)) {
    const exit = wait(pidfd, WEXITED | WNOHANG);
    if (exit !== undefined) return exit;
    await Bun.sleep(pauseMs);
  }
}

function wait(pidfd: number, options: number): Exit | undefined {
  const info = new Uint8Array(new ArrayBuffer(SIGINFO_SIZE));
  call("waitid", P_PIDFD, pidfd, info, options, null);
  const view = new DataView(info.buffer);
  // si_signo stays 0 when nothing has ended (waitid(2), WNOHANG).
  if (view.getInt32(0, true) === 0) return undefined;
  const status = view.getInt32(SI_STATUS, true);
  return view.getInt32(SI_CODE, true) === CLD_EXITED ? { code: status } : { signal: status };
}
