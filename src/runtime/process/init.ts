/**
 * `--init`: PID 1 that starts the command as its child, passes signals on to it, and reaps every orphan. It is the
 * rest of the same program, a few pages large; no other executable enters the container.
 *
 *     clone ── 0 ──▶ command
 *       │ pid
 *       ▼
 *     rt_sigtimedwait ──▶ SIGCHLD ──▶ waitid(P_ALL, WNOHANG) ──▶ the command? ──▶ exit with its status
 *       ▲    │                             │ another: once more │ none: wait again
 *       └────┴─ any other signal: kill(pid, signal)
 */

import {
  CLD_EXITED,
  P_ALL,
  SI_CODE,
  SI_PID,
  SI_STATUS,
  SIG_BLOCK,
  SIGCHLD,
  SIGINFO_SIZE,
  WEXITED,
  WNOHANG,
} from "../../linux/abi/sched.ts";
import { TIOCSPGRP } from "../../linux/abi/tty.ts";
import type { Program } from "../../linux/program.ts";
import { report, reportAddress } from "../../linux/program_core.ts";

/** A process that a signal ended exits as shells say it: 128 + n. */
const SIGNAL_EXIT = 128;

/** Forks: the child goes on with the steps after this, the parent becomes the init. */
export function planInit(program: Program, { terminal }: { readonly terminal: boolean }): void {
  const command = program.label();
  const everySignal = new Uint8Array(8).fill(0xff);
  program.section("start the command under an init");
  program.rt_sigprocmask(SIG_BLOCK, everySignal);
  const pid = program.variable("command");
  program.clone(SIGCHLD).into(pid).onZero(command);
  planInitLoop(program, pid, everySignal);
  program.place(command);
  if (terminal) planForeground(program);
  else program.section("lead a session of its own").setsid().ignoreErrors();
}

/** The command becomes the foreground process group of the terminal whose session the init leads. */
function planForeground(program: Program): void {
  program.section("become the terminal's foreground group").step("setpgid", 0, 0);
  // Every signal is still blocked, SIGTTOU too, which a background group would be stopped by (tcsetpgrp(3)).
  program.ioctl(0, TIOCSPGRP, program.words(program.step("getpid").result)).ignoreErrors();
}

function planInitLoop(program: Program, pid: ReturnType<Program["variable"]>, signals: Uint8Array): void {
  const wait = program.label();
  const reap = program.label();
  const ended = program.label();
  const info = program.room(SIGINFO_SIZE);
  const child = reportAddress + report.exit;
  program.place(wait);
  const signal = program.rt_sigtimedwait(signals, info).onError(wait).result;
  program.field(info, 0, 0xff, SIGCHLD).onZero(reap);
  program.kill(pid, signal).ignoreErrors();
  program.jump(wait);
  program.place(reap);
  program.add(0, 0).storeAt(child + SI_PID);
  program.waitid(P_ALL, 0, child, WEXITED | WNOHANG).onError(wait);
  const reaped = program.field(child + SI_PID, 0, 0xffffffff).onZero(wait).result;
  program.add(reaped, 0, pid).onZero(ended);
  program.jump(reap);
  planExit(program, ended);
}

function planExit(program: Program, ended: ReturnType<Program["label"]>): void {
  const byItself = program.label();
  const child = reportAddress + report.exit;
  program.place(ended);
  program.field(child + SI_CODE, 0, 0xff, CLD_EXITED).onZero(byItself);
  const signal = program.field(child + SI_STATUS, 0, 0x7f).result;
  program.exit_group(program.add(signal, SIGNAL_EXIT).result);
  program.place(byItself);
  program.exit_group(program.field(child + SI_STATUS, 0, 0xff).result);
}
