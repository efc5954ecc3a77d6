/**
 * Starts a program as a process of its own: clone3(2) with CLONE_VM, then execveat(2) of a sealed memfd. Between the
 * two only machine code runs in the child, on no stack: Bun's heap is not mapped in a forked child (MADV_DONTFORK),
 * and its threads do not exist there. In that short window the two share their memory, so this process is made
 * undumpable for it: nobody in the container's namespaces can look in (CVE-2016-9962).
 *
 *     launcher (steps in this process)        program (its own process)
 *     clone3 ── 0 ──▶ close_range CLOEXEC
 *        │            fcntl: keep what the program inherits
 *        │            [wait for the id maps of a user namespace]
 *        │            execveat(memfd) ──────▶ mmap the report page, then the program's steps
 *        └─ pid ──▶ return to TypeScript
 */
import { ENOSYS } from "./abi/errno.ts";
import { AT_EMPTY_PATH, CLOSE_RANGE_CLOEXEC, F_SETFD } from "./abi/fcntl.ts";
import {
  CLONE_ARGS_SIZE,
  CLONE_CLEAR_SIGHAND,
  CLONE_PIDFD,
  CLONE_VFORK,
  CLONE_VM,
  P_PID,
  PR_SET_DUMPABLE,
  SIGCHLD,
  WEXITED,
} from "./abi/sched.ts";
import { call, formatCall, SyscallError } from "./call.ts";
import { writeExecutable } from "./elf.ts";
import { type EncodedProgram, encodeProgram } from "./encode.ts";
import { runSteps } from "./machine.ts";
import { createExecutableMemfd, createSharedPage, type SharedPage } from "./memfd.ts";
import { allocatePages, MAP_FIXED, MAP_SHARED, PROT_READ, PROT_WRITE } from "./memory.ts";
import { Program } from "./program.ts";
import { report, reportAddress } from "./program_core.ts";
import type { Argument, Step } from "./step.ts";

/** How to start a program. */
export interface SpawnOptions {
  /** CLONE_NEW* flags; the user namespace waits for its maps (see `waitFd`). */
  readonly namespaces: number;
  /** Descriptors that the program uses; all others above 2 are closed by the exec. */
  readonly inherit: readonly number[];
  /** A descriptor from which the child reads one byte before the exec, while the parent writes the id maps. */
  readonly waitFd?: number;
  /** Makes a file for the executable where memfds may not be executed; returns a read-only descriptor. */
  readonly executableFile?: (file: Uint8Array) => number;
}

/** A started program. The caller closes `pidfd`. */
export interface SpawnedProgram {
  readonly pid: number;
  readonly pidfd: number;
  readonly report: SharedPage;
  /** The step that made the program give up, and why; undefined while all goes well. */
  readonly failure: () => ProgramFailure | undefined;
}

/** Why a program ended before its last step. */
export interface ProgramFailure {
  readonly step: Step;
  readonly errno: number;
}

/** A program under construction whose first step maps the report page. */
export function programWithReport(): { program: Program; page: SharedPage } {
  const page = createSharedPage(report.size);
  const program = new Program().section("map the report page");
  program.mmap(reportAddress, report.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, page.fd);
  program.close(page.fd);
  return { program, page };
}

/** Adds what every program ends with: marking the report and leaving, for a step that fails. */
export function finishProgram(program: Program): void {
  program.place(program.giveUp).section("give up");
  program.add(1, 0).storeAt(reportAddress + report.failed);
  program.exit_group(127).ignoreErrors();
}

/**
 * Starts `program`, which {@link programWithReport} began and {@link finishProgram} ended.
 * @throws {SyscallError} when the process or its namespaces cannot be made.
 */
export function spawnProgram(program: Program, page: SharedPage, options: SpawnOptions): SpawnedProgram {
  const executable = writeExecutable(program);
  let memfd = createExecutableMemfd("bunker", executable.file);
  if (memfd < 0) memfd = options.executableFile?.(executable.file) ?? -1;
  try {
    const { pid, pidfd, launcher } = launch(memfd, { ...options, inherit: [page.fd, ...options.inherit] });
    const failure = () => readFailure(page, executable.program) ?? launchFailure(launcher);
    return { pid, pidfd, report: page, failure };
  } finally {
    call("close", memfd);
    call("close", page.fd);
  }
}

/** The failing step as a call with its error; the arguments are printed as they were planned. */
export function failureError(failure: ProgramFailure): SyscallError {
  const { step, errno } = failure;
  return new SyscallError({
    name: step.name,
    text: formatCall(step.name, step.args.map(showArgument)),
    errno,
  });
}

const LAUNCHER_SIZE = 16384;

interface Launcher {
  readonly program: EncodedProgram;
  readonly address: number;
  readonly view: DataView;
  readonly pidRoom: number;
  readonly pidfdRoom: number;
}

function launch(memfd: number, options: SpawnOptions): { pid: number; pidfd: number; launcher: Launcher } {
  let launcher = prepareLauncher(memfd, options, "clone3");
  let pid = runLauncher(launcher);
  if (pid === -ENOSYS) {
    // Docker's older seccomp profiles answer ENOSYS to clone3, since its flags cannot be filtered.
    launcher = prepareLauncher(memfd, options, "clone");
    pid = runLauncher(launcher);
  }
  const failure = launchFailure(launcher);
  if (failure !== undefined) {
    // The child has failed before its exec and waits to be reaped.
    if (pid > 0) call("waitid", P_PID, pid, null, WEXITED, null);
    throw failureError(failure);
  }
  return { pid, pidfd: launcher.view.getInt32(launcher.pidfdRoom, true), launcher };
}

/** The step of the launcher that failed: clone itself, or what the child does before its exec. */
function launchFailure({ view, program }: Launcher): ProgramFailure | undefined {
  const errno = -view.getInt32(report.failure + 8, true);
  const step = program.stepAt(Number(view.getBigUint64(report.failure, true)));
  return errno <= 0 || step === undefined || step.error === "next" ? undefined : { step, errno };
}

function runLauncher(launcher: Launcher): number {
  const root = process.getuid?.() === 0;
  // A rootless child must stay dumpable: its /proc/PID/uid_map would belong to root otherwise (proc(5)).
  if (root) call("prctl", PR_SET_DUMPABLE, 0, 0, 0, 0);
  runSteps(launcher.address + 64, launcher.address);
  if (root) call("prctl", PR_SET_DUMPABLE, 1, 0, 0, 0);
  return launcher.view.getInt32(launcher.pidRoom, true);
}

/** The first 64 bytes of the launcher's pages are its report cell; the program follows. */
function prepareLauncher(memfd: number, options: SpawnOptions, syscall: "clone3" | "clone"): Launcher {
  const pages = allocatePages(LAUNCHER_SIZE);
  const base = pages.address + 64;
  const program = new Program().section("start a process");
  const pidfd = program.room(8);
  addClone(program, options, { syscall, pidfd, pid: pages.address + 16 });
  addChild(program, memfd, options);
  const encoded = encodeProgram(program, base);
  pages.bytes.set(encoded.bytes, 64);
  return {
    program: encoded,
    address: pages.address,
    view: new DataView(pages.bytes.buffer),
    pidRoom: 16,
    pidfdRoom: encoded.addressOfRoom(pidfd) - pages.address,
  };
}

function addClone(
  program: Program,
  options: SpawnOptions,
  { syscall, pidfd, pid }: { syscall: "clone3" | "clone"; pidfd: Argument; pid: number },
): void {
  const child = program.label();
  const vfork = options.waitFd === undefined ? CLONE_VFORK : 0;
  const flags = CLONE_VM | vfork | CLONE_PIDFD | options.namespaces;
  const args = program.words(flags + CLONE_CLEAR_SIGHAND, pidfd, 0, 0, SIGCHLD, 0, 0, 0);
  const parent = program.label();
  const step =
    syscall === "clone3" ? program.clone3(args, CLONE_ARGS_SIZE) : program.clone(flags | SIGCHLD, 0, pidfd);
  step.storeAt(pid).onZero(child).onPositive(parent).onError(parent);
  program.place(parent).returns();
  program.place(child);
}

function addChild(program: Program, memfd: number, options: SpawnOptions): void {
  program.close_range(3, 0xffffffff, CLOSE_RANGE_CLOEXEC).ignoreErrors();
  for (const fd of options.inherit) program.fcntl(fd, F_SETFD, 0);
  if (options.waitFd !== undefined) {
    program.section("wait for the id maps").read(options.waitFd, program.room(8), 1).onZero(program.giveUp);
    program.section("become root of the user namespace").setresgid(0, 0, 0);
    program.setresuid(0, 0, 0);
  }
  program.section("execute the program").execveat(memfd, "", ["bunker"], [], AT_EMPTY_PATH);
  program.place(program.giveUp).exit_group(127).ignoreErrors();
}

function readFailure(page: SharedPage, program: EncodedProgram): ProgramFailure | undefined {
  const view = new DataView(page.bytes.buffer);
  if (view.getUint32(report.failed, true) === 0) return undefined;
  const step = program.stepAt(view.getUint32(report.failure, true));
  return step === undefined ? undefined : { step, errno: -view.getInt32(report.failure + 8, true) };
}

/** Arguments that are known only in the running program are shown by their names. */
export function showArgument(argument: Argument): number | bigint | Uint8Array | null {
  if (typeof argument === "number" || typeof argument === "bigint" || argument === null) return argument;
  if (typeof argument === "string") return new TextEncoder().encode(`${argument}\0`);
  if (argument instanceof Uint8Array) return argument;
  return new TextEncoder().encode(`${argument.constructor.name}\0`);
}
