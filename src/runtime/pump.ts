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
/** What is inherited, in this order; the third is what is watched beside. */
const [FROM, TO, WATCHED] = [inheritedFd(0), inheritedFd(1), inheritedFd(2)];
/** Bits before what happened in struct pollfd: 32 of the descriptor, 16 of the events. */
const HAPPENED = 48;
/** struct timespec */
const NO_TIME = new Uint8Array(new ArrayBuffer(16));

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
  /** pidfd of a process: once it has ended, nothing is waited for. */
  readonly until?: number;
}

/** Starts copying; it ends at the end of `from`, or when `to` takes no more. Of `guard` and `until` one at most. */
export function startPump(options: PumpOptions): SpawnedProgram {
  const program = programWithReport();
  const end = program.label();
  // Signals of the terminal's foreground group are not for the pump; SIGTTOU would stop its last act.
  program.section("ignore signals").rt_sigprocmask(SIG_BLOCK, new Uint8Array(8).fill(0xff));
  planCopy(program, options, end);
  program.place(end).section("end").exit_group(0);
  finishProgram(program);
  const { from, to, guard, until } = options;
  const watched = guard?.enginePidfd ?? until;
  const inherit = [from, to, ...(watched === undefined ? [] : [watched])];
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

function planCopy(program: Program, { guard, until }: PumpOptions, end: Label): void {
  const again = program.label();
  const more = program.label();
  const buffer = program.room(BUFFER_SIZE);
  const rest = program.variable("rest");
  const position = program.variable("position");
  program.section("copy").place(again);
  if (guard !== undefined) planGuard(program, guard, end);
  if (until !== undefined) planUntil(program, end);
  program.read(FROM, buffer, BUFFER_SIZE).into(rest).onZero(end).onError(end);
  program.add(buffer, 0).into(position);
  program.place(more);
  const written = program.write(TO, position, rest).onError(end).result;
  program.add(position, written).into(position);
  program.add(rest, 0, written).into(rest).onZero(again);
  program.jump(more);
}

/** Waits for input or for the engine's end, whichever comes first. */
function planGuard(program: Program, guard: TerminalGuard, end: Label): void {
  const alive = program.label();
  const watched = watch(WATCHED, FROM);
  program.ppoll(watched, 2);
  program.field(watched, HAPPENED, 0xffff).onZero(alive);
  program.ioctl(FROM, TCSETS, guard.settings).ignoreErrors();
  program.jump(end);
  program.place(alive);
}

/**
 * Ends when the process has ended and there is no more to read. A second look tells that, since what was written last may
 * have come after the first one; poll(2) of a terminal brings up what is on its way.
 */
function planUntil(program: Program, end: Label): void {
  const alive = program.label();
  const [watched, source] = [watch(WATCHED, FROM), watch(FROM)];
  program.ppoll(watched, 2);
  program.field(watched, HAPPENED, 0xffff).onZero(alive);
  program.ppoll(source, 1, NO_TIME);
  program.field(source, HAPPENED, 0xffff).onZero(end);
  program.place(alive);
}

function watch(...fds: readonly number[]): Uint8Array<ArrayBuffer> {
  const watched = new Uint8Array(new ArrayBuffer(8 * fds.length));
  const view = new DataView(watched.buffer);
  for (const [index, fd] of fds.entries()) {
    view.setInt32(8 * index, fd, true);
    view.setInt16(8 * index + 4, POLLIN, true);
  }
  return watched;
}
