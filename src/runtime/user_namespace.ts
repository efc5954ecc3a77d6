/**
 * Runs a program of the host in a new user namespace, as its root: what unpacks and removes files of several owners
 * has to be that, and Bun itself cannot enter one, having more than one thread (user_namespaces(7), unshare(2)).
 */
import {
  CLONE_NEWNS,
  CLONE_NEWUSER,
  PR_SET_PDEATHSIG,
  SIGHUP,
  SIGINT,
  SIGKILL,
  SIGTERM,
} from "../linux/abi/sched.ts";
import { call, callRaw } from "../linux/call.ts";
import { failureError } from "../linux/failure.ts";
import type { Program } from "../linux/program.ts";
import { socketpair } from "../linux/socket_pair.ts";
import {
  executableOf,
  finishProgram,
  programWithReport,
  type SpawnedProgram,
  spawnProgram,
} from "../linux/spawn.ts";
import { type Exit, pollForExit, waitForExit } from "../linux/wait.ts";
import { writeIdMaps } from "./process/id_maps.ts";
import { planIgnored } from "./process/signals.ts";
import type { Linux } from "./spec/config.ts";

/** Who is who in a user namespace. */
export type UserMaps = Pick<Linux, "uidMappings" | "gidMappings">;

/** An executable of the host with its arguments and whole environment. */
export interface HostCommand {
  /** Absolute path. */
  readonly path: string;
  readonly args: readonly string[];
  /** `KEY=value`; nothing is added. */
  readonly env: readonly string[];
  /** Descriptors that it has under the numbers of `inheritedFd()`. */
  readonly inherit: readonly number[];
  /** Path for the program where memfds may not be executed; it does not stay. */
  readonly programFile: string;
}

/** Where a program is started. */
export interface UserNamespace {
  readonly maps: UserMaps;
  /** CLONE_NEW* flags besides CLONE_NEWUSER. */
  readonly namespaces: number;
  /** [none] */
  readonly inherit?: readonly number[];
  readonly programFile: string;
}

/**
 * Runs the command with this process's standard streams. What would end it is for this process to hear of.
 * @param signal when it is aborted, the command is sent SIGKILL
 * @throws {SyscallError} {IdMapError} when the namespace cannot be made.
 */
export async function runInUserNamespace(
  maps: UserMaps,
  command: HostCommand,
  signal?: AbortSignal,
): Promise<Exit> {
  const program = programWithReport();
  program.section("end with the engine").prctl(PR_SET_PDEATHSIG, SIGKILL);
  // A terminal sends them to both: the engine alone says what becomes of the work.
  planIgnored(program, [SIGHUP, SIGINT, SIGTERM]);
  program.section(`execute "${command.path}"`).execve(command.path, command.args, command.env);
  const started = startInUserNamespace(finishProgram(program), {
    maps,
    namespaces: CLONE_NEWNS,
    inherit: command.inherit,
    programFile: command.programFile,
  });
  const end = (): void => void callRaw("pidfd_send_signal", started.pidfd, SIGKILL, null, 0);
  signal?.addEventListener("abort", end);
  try {
    if (signal?.aborted === true) end();
    const exit = await pollForExit(started.pidfd);
    const failure = await started.failure();
    if (failure !== undefined) throw failureError(failure);
    return exit;
  } finally {
    signal?.removeEventListener("abort", end);
    started.release();
  }
}

/**
 * Starts a finished program as root of a new user namespace and of `namespaces` besides. The caller closes `pidfd`.
 * @throws {SyscallError} {IdMapError} when the namespace cannot be made.
 */
export function startInUserNamespace(
  program: Program,
  { maps, namespaces, inherit = [], programFile }: UserNamespace,
): SpawnedProgram {
  const [engine, child] = socketpair();
  try {
    const started = spawnProgram(executableOf(program), {
      namespaces: CLONE_NEWUSER | namespaces,
      inherit,
      waitFd: child,
      engineFd: engine,
      programFile,
    });
    return release(started, engine, maps);
  } finally {
    call("close", child);
    call("close", engine);
  }
}

/** Writes the maps and lets the program go on; without maps it must not live. */
function release(started: SpawnedProgram, engine: number, maps: UserMaps): SpawnedProgram {
  try {
    writeIdMaps(started.pid, maps);
    call("write", engine, new Uint8Array([0x6d]), 1);
    return started;
  } catch (error) {
    call("pidfd_send_signal", started.pidfd, SIGKILL, null, 0);
    waitForExit(started.pidfd);
    started.release();
    throw error;
  }
}
