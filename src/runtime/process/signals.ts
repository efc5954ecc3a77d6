/** A clean start for the command: no ignored and no blocked signal (signal(7)). */
import { numbers } from "../../linux/abi/numbers.ts";
import { SIG_SETMASK, SIGACTION_SIZE, SIGKILL, SIGNAL_MAX, SIGSTOP } from "../../linux/abi/sched.ts";
import { architecture, syscall6 } from "../../linux/machine.ts";
import type { Program } from "../../linux/program.ts";

const SIG_IGN = 1;

/**
 * Signals that this process ignores: Bun ignores SIGPIPE and SIGXFSZ, nohup(1) SIGHUP. clone3's
 * CLONE_CLEAR_SIGHAND resets handlers only, and ignored signals stay ignored over execve(2).
 */
export function ignoredSignals(): number[] {
  const action = new Uint8Array(new ArrayBuffer(SIGACTION_SIZE));
  const view = new DataView(action.buffer);
  const ignored: number[] = [];
  for (let signal = 1; signal <= SIGNAL_MAX; signal++) {
    if (signal === SIGKILL || signal === SIGSTOP) continue;
    syscall6(numbers.rt_sigaction[architecture] as number, signal, null, action, 8, 0, 0);
    if (view.getUint32(0, true) === SIG_IGN) ignored.push(signal);
  }
  return ignored;
}

/** Sets the given signals to their default, unblocks all. */
export function planSignals(program: Program, ignored: readonly number[]): void {
  program.section("restore signals");
  const none = new Uint8Array(SIGACTION_SIZE);
  for (const signal of ignored) program.rt_sigaction(signal, none);
  program.rt_sigprocmask(SIG_SETMASK, none);
}

/** Has the command ignore the given signals, unless it changes that itself: execve(2) leaves it so. */
export function planIgnored(program: Program, signals: readonly number[]): void {
  program.section("ignore signals");
  const action = new Uint8Array(SIGACTION_SIZE);
  new DataView(action.buffer).setUint32(0, SIG_IGN, true);
  for (const signal of signals) program.rt_sigaction(signal, action);
}
