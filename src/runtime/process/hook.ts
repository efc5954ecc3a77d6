/**
 * Hooks as children of a program: config.md#posix-platform-hooks. In a container they run in its namespaces, where the
 * program is the only process; the engine runs those of the runtime by the same steps in a program of its own.
 *
 *     pipe, clone ── 0 ──▶ group of its own, stdin = state, output = pipe, no other descriptor, execve
 *       │ pidfd
 *       ▼
 *     ppoll(child, timer, pipe) ──▶ keep the end of the output ──▶ child ended? ──▶ 0: on, else: report, give up
 *       ▲                                                            │ no
 *       └────────────── timer? ── yes ──▶ kill the group ◀───────────┘
 *
 * A daemon that a hook leaves behind may keep the pipe open: the end of the hook counts, not that of the pipe.
 */
import { ECANCELED, EINTR, ETIMEDOUT } from "../../linux/abi/errno.ts";
import { F_SETFL, O_CLOEXEC, O_NONBLOCK, POLLIN } from "../../linux/abi/fcntl.ts";
import {
  CLD_EXITED,
  CLOCK_MONOTONIC,
  CLONE_PIDFD,
  P_PID,
  SI_CODE,
  SI_PID,
  SI_STATUS,
  SIG_SETMASK,
  SIGACTION_SIZE,
  SIGCHLD,
  SIGKILL,
  WEXITED,
  WNOHANG,
} from "../../linux/abi/sched.ts";
import type { Program } from "../../linux/program.ts";
import { report, reportAddress } from "../../linux/program_core.ts";
import type { Label, Variable } from "../../linux/step.ts";
import { HOOK_KINDS, type Hook, type HookKind } from "../../oci/bundle/config.ts";
import { hookLayout, OUTPUT_SIZE } from "./hook_report.ts";
import { refuse } from "./refusal.ts";

/** Longest timeout in seconds: what timerfd_settime(2) takes whatever the clock says; some 68 years. */
const TIMEOUT_MAX = 2 ** 31 - 1;
/** Pieces of output that are read after the end of a hook: a full pipe (64 KiB) and what wraps around. */
const LAST_READS_MAX = 80;
/** umask of a login (umask(2)); the program's own is 0. */
const UMASK = 0o022;
/** Exit status of a child whose execve has failed, as a shell says it. */
const NOT_EXECUTED = 127;
/** struct pollfd: descriptor, then the events that are waited for. */
const EVENTS_SHIFT = 0x1_0000_0000;
const PUBLISHED = reportAddress + report.exit;

/** Which hook, and what it is given. */
export interface HookPlan {
  readonly kind: HookKind;
  /** Position among the hooks of its kind. */
  readonly index: number;
  /** Descriptor with the state as JSON, read from its beginning. */
  readonly state: number | Variable;
  /** Working directory [the program's]. */
  readonly cwd?: string;
  /** Signals that the program ignores: {@link ignoredSignals}. */
  readonly ignoredSignals: readonly number[];
}

/** Runs a hook and waits for it; gives up unless it exits with 0. @throws {ConfigError} for a bad timeout. */
export function planHook(program: Program, hook: Hook, plan: HookPlan): void {
  const child = program.label();
  program.section(`run the ${plan.kind} hook #${plan.index} "${hook.path}"`);
  const pipe = planPipe(program);
  planReset(program, plan);
  // Children of a process that ignores this signal leave no status behind (waitid(2), NOTES).
  program.rt_sigaction(SIGCHLD, new Uint8Array(SIGACTION_SIZE));
  const pidfd = program.room(8);
  const pid = program.clone(CLONE_PIDFD | SIGCHLD, 0, pidfd).onZero(child).result;
  // By both sides: whichever comes first, the group exists when it is to be killed.
  program.step("setpgid", pid, pid).ignoreErrors();
  program.close(pipe.writing);
  const opened = program.field(pidfd, 0, 0xffffffff).result;
  const timer = hook.timeout === undefined ? undefined : planTimer(program, hook.timeout, plan);
  planWait(program, { pid, pidfd: opened, timer, pipe: pipe.reading });
  const ended = program.label();
  program.jump(ended);
  planChild(program.place(child), hook, { ...plan, output: pipe.writing });
  program
    .place(ended)
    .add(0, 0)
    .storeAt(reportAddress + hookLayout.kind);
}

interface Pipe {
  readonly reading: Variable;
  readonly writing: Variable;
}

function planPipe(program: Program): Pipe {
  const fds = program.room(8);
  program.step("pipe2", fds, O_CLOEXEC);
  const reading = program.field(fds, 0, 0xffffffff).result;
  const writing = program.field(fds, 32, 0xffffffff).result;
  // Only this end: the hook's own is to block as any pipe does.
  program.fcntl(reading, F_SETFL, O_NONBLOCK);
  return { reading, writing };
}

/** Until it has ended well, the page says that this hook has failed: also when a step of its own does. */
function planReset(program: Program, { kind, index }: HookPlan): void {
  const set = (offset: number, value: number) => program.add(value, 0).storeAt(reportAddress + offset);
  set(hookLayout.index, index);
  set(hookLayout.timedOut, 0);
  set(hookLayout.execute, 0);
  set(hookLayout.position, 0);
  set(hookLayout.wrapped, 0);
  set(hookLayout.kind, HOOK_KINDS.indexOf(kind) + 1);
}

function planTimer(program: Program, timeout: number, { kind, index }: HookPlan): Variable {
  if (!(Number.isInteger(timeout) && timeout > 0 && timeout <= TIMEOUT_MAX)) {
    const field = { path: `hooks.${kind}[${index}].timeout`, section: "config.md#posix-platform-hooks" };
    refuse(field, `${timeout} is not a number of seconds from 1 to ${TIMEOUT_MAX}`);
  }
  const timer = program.step("timerfd_create", CLOCK_MONOTONIC, O_CLOEXEC | O_NONBLOCK).result;
  // struct itimerspec: no interval, then seconds and nanoseconds.
  program.step("timerfd_settime", timer, 0, program.words(0, 0, timeout, 0), null);
  return timer;
}

interface Wait {
  readonly pid: Variable;
  readonly pidfd: Variable;
  readonly timer: Variable | undefined;
  readonly pipe: Variable;
}

function planWait(program: Program, { pid, pidfd, timer, pipe }: Wait): void {
  const wait = program.label();
  const interrupted = program.label();
  const look = program.label();
  const closed = program.label();
  const ended = program.label();
  const watched = [pidfd, ...(timer === undefined ? [] : [timer]), pipe];
  const events = watched.map((fd) => program.add(fd, POLLIN * EVENTS_SHIFT).result);
  const count = program.variable("watched");
  program.add(watched.length, 0).into(count);
  program
    .place(wait)
    .step("ppoll", program.words(...events), count, null, null, 0)
    .onError(interrupted);
  planRead(program, pipe, { closed, empty: look, more: look });
  // The pipe comes last: without it nothing more wakes this loop for the output.
  program
    .place(closed)
    .add(watched.length - 1, 0)
    .into(count);
  program.place(look).waitid(P_PID, pid, PUBLISHED, WEXITED | WNOHANG);
  program.field(PUBLISHED + SI_PID, 0, 0xffffffff).onPositive(ended);
  if (timer !== undefined) planTimeout(program, { pid, timer, wait });
  program.jump(wait);
  program.place(interrupted).whenErrno(EINTR, wait);
  program.jump(program.giveUp);
  planEnd(program.place(ended), { pidfd, timer, pipe });
}

/** Reads what there is, once, behind what was read before; at its end the place begins anew. */
function planRead(
  program: Program,
  pipe: Variable,
  { closed, empty, more }: { readonly closed: Label; readonly empty: Label; readonly more: Label },
): void {
  const full = program.label();
  const at = reportAddress + hookLayout.position;
  const position = program.field(at, 0, 0xffffffff).result;
  const place = program.add(reportAddress + hookLayout.output, position).result;
  const room = program.add(OUTPUT_SIZE, 0, position).result;
  const count = program.read(pipe, place, room).onZero(closed).onError(empty).result;
  program.add(position, count).storeAt(at);
  program.field(at, 0, 0xffffffff, OUTPUT_SIZE).onZero(full).onPositive(more);
  program.place(full).add(0, 0).storeAt(at);
  program.add(1, 0).storeAt(reportAddress + hookLayout.wrapped);
  program.jump(more);
}

/** Kills the hook and what it has started when its time is over. */
function planTimeout(
  program: Program,
  { pid, timer, wait }: { readonly pid: Variable; readonly timer: Variable; readonly wait: Label },
): void {
  const expired = program.label();
  program.read(timer, program.room(8), 8).onPositive(expired).onZero(wait).onError(wait);
  // The negative of a low process id, as those of a container are, is an error number too.
  const group = program.place(expired).add(0, 0, pid).ignoreErrors().result;
  program.kill(group, SIGKILL).ignoreErrors();
  program.kill(pid, SIGKILL).ignoreErrors();
  program.waitid(P_PID, pid, PUBLISHED, WEXITED);
  program.add(1, 0).storeAt(reportAddress + hookLayout.timedOut);
  program.fail(ETIMEDOUT);
}

/** The hook has ended: keeps the last of its output, and goes on if it has exited with 0. */
function planEnd(program: Program, { pidfd, timer, pipe }: Omit<Wait, "pid">): void {
  const again = program.label();
  const next = program.label();
  const silent = program.label();
  const exited = program.label();
  const failed = program.label();
  const good = program.label();
  const left = program.variable("reads");
  program.add(LAST_READS_MAX, 0).into(left);
  program.place(again);
  planRead(program, pipe, { closed: silent, empty: silent, more: next });
  program.place(next).add(left, 0, 1).into(left).onPositive(again);
  program.place(silent);
  for (const fd of [pidfd, pipe, ...(timer === undefined ? [] : [timer])]) program.close(fd);
  program
    .field(PUBLISHED + SI_CODE, 0, 0xffffffff, CLD_EXITED)
    .onZero(exited)
    .onPositive(failed);
  program
    .place(exited)
    .field(PUBLISHED + SI_STATUS, 0, 0xffffffff)
    .onZero(good);
  program.place(failed).fail(ECANCELED);
  program.place(good);
}

interface ChildPlan extends HookPlan {
  readonly output: Variable;
}

function planChild(program: Program, hook: Hook, { state, cwd, ignoredSignals, output }: ChildPlan): void {
  const none = new Uint8Array(SIGACTION_SIZE);
  program.step("setpgid", 0, 0).ignoreErrors();
  for (const signal of ignoredSignals) program.rt_sigaction(signal, none);
  program.rt_sigprocmask(SIG_SETMASK, none);
  program.umask(UMASK);
  if (cwd !== undefined) program.chdir(cwd);
  program.step("lseek", state, 0, 0);
  program.dup3(state, 0);
  program.dup3(output, 1);
  program.dup3(output, 2);
  program.close_range(3, 0xffffffff, 0);
  const failed = program.label();
  program
    .execve(hook.path, hook.args?.length ? hook.args : [hook.path], hook.env ?? [])
    .storeAt(reportAddress + hookLayout.execute)
    .onError(failed);
  program.place(failed).exit_group(NOT_EXECUTED);
}
