/**
 * Runs a program of the host in a new user namespace, as its root: what unpacks and removes files of several owners
 * has to be that, and Bun itself cannot enter one, having more than one thread (user_namespaces(7), unshare(2)).
 */
import { CLONE_NEWNS, CLONE_NEWUSER, PR_SET_PDEATHSIG, SIGKILL } from "../linux/abi/sched.ts";
import { call } from "../linux/call.ts";
import { socketpair } from "../linux/socket_pair.ts";
import { failureError, finishProgram, programWithReport, spawnProgram } from "../linux/spawn.ts";
import { type Exit, pollForExit } from "../linux/wait.ts";
import { type IdMappings, writeIdMaps } from "./process/id_maps.ts";

/** An executable of the host with its arguments and whole environment. */
export interface HostCommand {
  /** Absolute path. */
  readonly path: string;
  readonly args: readonly string[];
  /** `KEY=value`; nothing is added. */
  readonly env: readonly string[];
}

/**
 * Runs the command with this process's standard streams.
 * @throws {SyscallError} {IdMapError} when the namespace cannot be made.
 */
export async function runInUserNamespace(
  maps: IdMappings,
  command: HostCommand,
): Promise<Exit> {
  const [engine, child] = socketpair();
  const { program, page } = programWithReport();
  program.section("end with the engine").prctl(PR_SET_PDEATHSIG, SIGKILL);
  program.section(`execute "${command.path}"`).execve(command.path, command.args, command.env);
  finishProgram(program);
  const namespaces = CLONE_NEWUSER | CLONE_NEWNS;
  const started = spawnProgram(program, page, { namespaces, inherit: [], waitFd: child });
  try {
    call("close", child);
    writeIdMaps(started.pid, maps);
    call("write", engine, new Uint8Array([0x6d]), 1);
    const exit = await pollForExit(started.pidfd);
    const failure = started.failure();
    if (failure !== undefined) throw failureError(failure);
    return exit;
  } finally {
    call("close", engine);
    call("close", started.pidfd);
  }
}
