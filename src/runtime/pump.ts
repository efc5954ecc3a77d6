/**
 * Copies bytes from one descriptor to another as a program of its own: a terminal's relay must go on while the engine
 * sleeps in waitid(2), and one that reads must not be held up by one that writes.
 */
import { POLLIN } from "../linux/abi/fcntl.ts";
import { SIG_BLOCK, SIGKILL } from "../linux/abi/sched.ts";
import { TCSETS } from "../linux/abi/tty.ts";
import { call } from "../linux/call.ts";
import type { Program } from "../linux/program.ts";
import {
  executableOf,
  finishProgram,
  inheritedFd,
  programWithReport,
  type SpawnedProgram,
  spawnProgram,
} from "../linux/spawn.ts";
import type { Label } from "../linux/step.ts";
import { waitForExit } from "../linux/wait.ts";

const BUFFER_SIZE = 16384;

/** What to do when the engine ends first: give the terminal its settings back. */
export interface TerminalGuard {
  /** Becomes readable when the engine is gone: pidfd_open(2). */
  readonly enginePidfd: number;
  /** struct termios to restore on `from`. */
  readonly settings: Uint8Array;
}

/** Descriptors to copy between. */
export interface PumpOptions {
  readonly from: number;
  readonly to: number;
  readonly guard?: TerminalGuard;
}

/** Starts copying; it ends at the end of `from`, or when `to` takes no more. */
export function startPump({ from, to, guard }: PumpOptions): SpawnedProgram {
  const program = programWithReport();
  const end = program.label();
  // Signals of the terminal's foreground group are not for the pump; SIGTTOU would stop its last act.
  program.section("ignore signals").rt_sigprocmask(SIG_BLOCK, new Uint8Array(8).fill(0xff));
  const inherited = { from: inheritedFd(0), to: inheritedFd(1) };
  planCopy(program, guard === undefined ? inherited : { ...inherited, guard }, end);
  program.place(end).section("end").exit_group(0);
  finishProgram(program);
  const inherit = [from, to, ...(guard === undefined ? [] : [guard.enginePidfd])];
  return spawnProgram(executableOf(program), { namespaces: 0, inherit });
}

/** Waits for the end of a pump. */
export function awaitPump(pump: SpawnedProgram): void {
  waitForExit(pump.pidfd);
  pump.release();
}

/** Ends a pump that waits for input. */
export function stopPump(pump: SpawnedProgram): void {
  call("pidfd_send_signal", pump.pidfd, SIGKILL, null, 0);
  awaitPump(pump);
}

function planCopy(program: Program, { from, to, guard }: PumpOptions, end: Label): void {
  const again = program.label();
  const more = program.label();
  const buffer = program.room(BUFFER_SIZE);
  const rest = program.variable("rest");
  const position = program.variable("position");
  program.section("copy").place(again);
  if (guard !== undefined) planGuard(program, { from, guard, end });
  program.read(from, buffer, BUFFER_SIZE).into(rest).onZero(end).onError(end);
  program.add(buffer, 0).into(position);
  program.place(more);
  const written = program.write(to, position, rest).onError(end).result;
  program.add(position, written).into(position);
  program.add(rest, 0, written).into(rest).onZero(again);
  program.jump(more);
}

interface GuardPlan {
  readonly from: number;
  readonly guard: TerminalGuard;
  readonly end: Label;
}

/** Waits for input or for the engine's end, whichever comes first. */
function planGuard(program: Program, { from, guard, end }: GuardPlan): void {
  const alive = program.label();
  // struct pollfd: 32 bits descriptor, 16 bits events, 16 bits what happened.
  const watched = new Uint8Array(new ArrayBuffer(16));
  const view = new DataView(watched.buffer);
  for (const [index, fd] of [inheritedFd(2), from].entries()) {
    view.setInt32(8 * index, fd, true);
    view.setInt16(8 * index + 4, POLLIN, true);
  }
  program.ppoll(watched, 2);
  program.field(watched, 48, 0xffff).onZero(alive);
  program.ioctl(from, TCSETS, guard.settings).ignoreErrors();
  program.jump(end);
  program.place(alive);
}
