/**
 * Starts a program as a process of its own: clone3(2) with CLONE_VM, then execveat(2) of a sealed memfd. Between the
 * two only machine code runs in the child, on no stack: Bun's heap is not mapped in a forked child (MADV_DONTFORK),
 * and its threads do not exist there. In that short window the two share their memory, so this process is made
 * undumpable for it: nobody in the container's namespaces can look in (CVE-2016-9962).
 *
 *     launcher (steps in this process)        program (its own process)
 *     clone3 ── 0 ──▶ close_range CLOEXEC
 *        │            dup3: what the program inherits, under fixed numbers
 *        │            [wait for the id maps of a user namespace]
 *        │            execveat(memfd) ──────▶ mmap the report page, then the program's steps
 *        └─ pid ──▶ return to TypeScript
 */
import { E2BIG, EINVAL, ENOSYS } from "./abi/errno.ts";
import { AT_EMPTY_PATH, CLOSE_RANGE_CLOEXEC, F_DUPFD_CLOEXEC, F_SETFD } from "./abi/fcntl.ts";
import {
  CLONE_ARGS_SIZE,
  CLONE_ARGS_SIZE_CGROUP,
  CLONE_CLEAR_SIGHAND,
  CLONE_INTO_CGROUP,
  CLONE_PIDFD,
  CLONE_VFORK,
  CLONE_VM,
  P_PID,
  P_PIDFD,
  PR_SET_DUMPABLE,
  PR_SET_PDEATHSIG,
  SIGCHLD,
  SIGKILL,
  WEXITED,
} from "./abi/sched.ts";
import { call, callRaw, SyscallError } from "./call.ts";
import { FIRST_ADDRESS, writeExecutable } from "./elf.ts";
import { type EncodedProgram, encodeProgram } from "./encode.ts";
import { createExecutableFile } from "./executable_file.ts";
import { runSteps } from "./machine.ts";
import { createExecutableMemfd, createSharedPage, type SharedPage } from "./memfd.ts";
import { allocatePages, MAP_FIXED, MAP_SHARED, PROT_READ, PROT_WRITE } from "./memory.ts";
import { Program } from "./program.ts";
import { report, reportAddress } from "./program_core.ts";
import { readSmallText } from "./small_file.ts";
import type { Argument, Step } from "./step.ts";

/** How to start a program. */
export interface SpawnOptions {
  /** CLONE_NEW* flags; the user namespace waits for its maps (see `waitFd`). */
  readonly namespaces: number;
  /** Descriptors that the program uses, under the numbers of {@link inheritedFd}; no others above 2 survive. */
  readonly inherit: readonly number[];
  /** A descriptor from which the child reads one byte before the exec, while the parent writes the id maps. */
  readonly waitFd?: number;
  /** This process's end of `waitFd`: the child closes its copy, so that it reads the end when this process is gone. */
  readonly engineFd?: number;
  /** Path of a file for the executable where memfds may not be executed. */
  readonly programFile?: string;
  /** The report page; closed here. It is a file where another process is to read it [a memfd]. */
  readonly page?: SharedPage;
  /** How many descriptors from 3 on the program keeps open for its command [0]. */
  readonly preserveFds?: number;
  /** Group of version 2 in which the process starts. */
  readonly cgroup?: CgroupFds | undefined;
  /** Killed when this process ends, from the first step after the clone on [false]. */
  readonly endsWithEngine?: boolean;
}

/** Open files of a group of version 2. */
export interface CgroupFds {
  readonly directory: number;
  /** Its cgroup.procs, for kernels before Linux 5.7: writing to it waits for RCU, some milliseconds. */
  readonly join: number;
}

/** A started program; whoever started it calls `release` in the end. */
export interface SpawnedProgram {
  readonly pid: number;
  readonly pidfd: number;
  readonly report: SharedPage;
  /** The step that made the program give up, and why; undefined while all goes well. */
  readonly failure: () => Promise<ProgramFailure | undefined>;
  /** Closes `pidfd` and gives the memory back; nothing of this object may be used afterwards. */
  readonly release: () => void;
}

/** Why a program ended before its last step. */
export interface ProgramFailure {
  readonly step: Step;
  readonly errno: number;
}

/** An executable of one or two programs. */
export interface Executable {
  readonly file: Uint8Array;
  /** The step at an address that the report names; asked only after a failure, and may take its time. */
  readonly stepAt: (address: number) => Step | undefined | Promise<Step | undefined>;
}

/**
 * Numbers that descriptors have in a program: fixed, so that the same program serves again in another process whose
 * own numbers differ. The report page is the first.
 */
const FIRST_FD = 200;

/** Number in the program of the `index`-th descriptor of {@link SpawnOptions.inherit}. */
export const inheritedFd = (index: number): number => FIRST_FD + 1 + index;

/** A program under construction whose first step maps the report page. */
export function programWithReport(): Program {
  const program = new Program().section("map the report page");
  program.mmap(reportAddress, report.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, FIRST_FD);
  program.close(FIRST_FD);
  return program;
}

/** Adds what every program ends with: marking the report and leaving, for a step that fails. */
export function finishProgram(program: Program): Program {
  program.place(program.giveUp).section("give up");
  program.add(1, 0).storeAt(reportAddress + report.failed);
  program.exit_group(127).ignoreErrors();
  return program;
}

/** An executable of one finished program. */
export function executableOf(program: Program): Executable {
  const encoded = encodeProgram(program, FIRST_ADDRESS);
  return { file: writeExecutable(encoded.bytes), stepAt: encoded.stepAt };
}

/**
 * Starts an executable as a process.
 * @throws {SyscallError} when the process or its namespaces cannot be made.
 */
export function spawnProgram(executable: Executable, options: SpawnOptions): SpawnedProgram {
  const page = options.page ?? createSharedPage(report.size);
  let memfd = createExecutableMemfd("bunker", executable.file);
  if (memfd < 0) memfd = createProgramFile(executable.file, options.programFile);
  const moved = new MovedFds(1 + options.inherit.length);
  try {
    const { waitFd } = options;
    const { pid, pidfd, launcher } = launch(moved.aside(memfd), {
      ...options,
      inherit: [page.fd, ...options.inherit].map((fd) => moved.aside(fd)),
      ...(waitFd === undefined ? {} : { waitFd: moved.aside(waitFd) }),
    });
    const failure = async () => (await readFailure(page, executable)) ?? launchFailure(launcher);
    const release = () => {
      call("close", pidfd);
      call("munmap", page.address, page.bytes.length);
      call("munmap", launcher.address, launcher.size);
    };
    return { pid, pidfd, report: page, failure, release };
  } finally {
    moved.close();
    call("close", memfd);
    call("close", page.fd);
  }
}

/**
 * Descriptors among the numbers that the program's get: they would be overwritten before their turn, so copies above are
 * taken in their place. Only a caller's leak or hundreds of mounts have such.
 */
class MovedFds {
  readonly #end: number;
  readonly #copies: number[] = [];

  /** For a program that inherits `count` descriptors. */
  constructor(count: number) {
    this.#end = FIRST_FD + count;
  }

  aside(fd: number): number {
    if (fd < FIRST_FD || fd >= this.#end) return fd;
    const copy = call("fcntl", fd, F_DUPFD_CLOEXEC, this.#end);
    this.#copies.push(copy);
    return copy;
  }

  close(): void {
    for (const fd of this.#copies) call("close", fd);
  }
}

function createProgramFile(file: Uint8Array, path: string | undefined): number {
  if (path === undefined) throw new Error("Cannot execute a program: this machine forbids executable memfds");
  return createExecutableFile(path, file);
}

/** Room for a launcher, and for each descriptor that it hands on: one step. */
const LAUNCHER_SIZE = 16384;
const LAUNCHER_STEP_SIZE = 128;

interface Launcher {
  readonly program: EncodedProgram;
  readonly address: number;
  readonly size: number;
  readonly view: DataView;
  readonly pidRoom: number;
  readonly pidfdRoom: number;
}

function launch(memfd: number, options: SpawnOptions): { pid: number; pidfd: number; launcher: Launcher } {
  let launcher = prepareLauncher(memfd, options, "clone3");
  let pid = runLauncher(launcher);
  const isOld = options.cgroup !== undefined && (pid === -E2BIG || pid === -EINVAL);
  if (pid === -ENOSYS || isOld) {
    // Docker's older seccomp profiles answer ENOSYS to clone3, since its flags cannot be filtered.
    launcher = prepareLauncher(memfd, options, "clone");
    pid = runLauncher(launcher);
  }
  const failure = launchFailure(launcher);
  if (failure !== undefined) {
    // The child has failed before its exec and waits to be reaped.
    if (pid > 0) call("waitid", P_PID, pid, null, WEXITED, null);
    throw new SyscallError({ name: failure.step.name, text: failure.step.name, errno: failure.errno });
  }
  const pidfd = launcher.view.getInt32(launcher.pidfdRoom, true);
  // Without CLONE_VFORK both processes store their result of clone in the same place, in either order.
  return { pid: options.waitFd === undefined ? pid : waitingPid(pidfd), pidfd, launcher };
}

/** The process id of a child that waits, which is ended when that cannot be told: EMFILE. */
function waitingPid(pidfd: number): number {
  try {
    return pidOf(pidfd);
  } catch (error) {
    callRaw("pidfd_send_signal", pidfd, SIGKILL, null, 0);
    call("waitid", P_PIDFD, pidfd, null, WEXITED, null);
    call("close", pidfd);
    throw error;
  }
}

/** The process id behind a pidfd (proc_pid_fdinfo(5)). */
function pidOf(pidfd: number): number {
  const pid = /^Pid:\t([0-9]+)$/m.exec(readSmallText(`/proc/self/fdinfo/${pidfd}`) ?? "")?.[1];
  if (pid === undefined) throw new Error("Cannot start a program: /proc does not tell its process id");
  return Number(pid);
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
  const size = LAUNCHER_SIZE + LAUNCHER_STEP_SIZE * (options.inherit.length + (options.preserveFds ?? 0));
  const pages = allocatePages(size);
  const base = pages.address + 64;
  const program = new Program().section("start a process");
  const pidfd = program.room(8);
  addClone(program, options, { syscall, pidfd, pid: pages.address + 16 });
  if (syscall === "clone" && options.cgroup !== undefined) program.write(options.cgroup.join, "0", 1);
  addChild(program, memfd, options);
  const encoded = encodeProgram(program, base);
  pages.bytes.set(encoded.bytes, 64);
  return {
    program: encoded,
    address: pages.address,
    size,
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
  const { cgroup } = options;
  const into = cgroup === undefined ? [] : [0, 0, cgroup.directory];
  const all = flags + CLONE_CLEAR_SIGHAND + (cgroup === undefined ? 0 : CLONE_INTO_CGROUP);
  const args = program.words(all, pidfd, 0, 0, SIGCHLD, 0, 0, 0, ...into);
  const size = cgroup === undefined ? CLONE_ARGS_SIZE : CLONE_ARGS_SIZE_CGROUP;
  const parent = program.label();
  const step = syscall === "clone3" ? program.clone3(args, size) : program.clone(flags | SIGCHLD, 0, pidfd);
  step.storeAt(pid).onZero(child).onPositive(parent).onError(parent);
  program.place(parent).returns();
  program.place(child);
}

function addChild(program: Program, memfd: number, options: SpawnOptions): void {
  if (options.endsWithEngine === true) program.prctl(PR_SET_PDEATHSIG, SIGKILL);
  const kept = options.preserveFds ?? 0;
  program.close_range(3 + kept, 0xffffffff, CLOSE_RANGE_CLOEXEC).ignoreErrors();
  // Before its number may be given to something else.
  if (options.engineFd !== undefined) program.close(options.engineFd);
  // Bun marks all that it inherits from 4 on as closed on exec.
  for (let fd = 3; fd < 3 + kept; fd++) program.fcntl(fd, F_SETFD, 0);
  for (const [index, fd] of options.inherit.entries()) program.dup3(fd, FIRST_FD + index);
  if (options.waitFd !== undefined) {
    program.section("wait for the id maps").read(options.waitFd, program.room(8), 1).onZero(program.giveUp);
    program.section("become root of the user namespace").setresgid(0, 0, 0);
    program.setresuid(0, 0, 0);
  }
  program.section("execute the program").execveat(memfd, "", ["bunker"], [], AT_EMPTY_PATH);
  program.place(program.giveUp).exit_group(127).ignoreErrors();
}

async function readFailure(page: SharedPage, { stepAt }: Executable): Promise<ProgramFailure | undefined> {
  const view = new DataView(page.bytes.buffer);
  if (view.getUint32(report.failed, true) === 0) return undefined;
  const step = await stepAt(view.getUint32(report.failure, true));
  return step === undefined ? undefined : { step, errno: -view.getInt32(report.failure + 8, true) };
}
