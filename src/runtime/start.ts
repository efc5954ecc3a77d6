/**
 * Starts the planned program and does, while it waits, what needs the host: id maps, the user's identity, the
 * terminal's master. Ends with a process that runs the command, or will have failed by itself.
 *
 *     engine                               program
 *     clone3, execveat ──────────────────▶ (user namespace: waits for its maps)
 *     writes the maps    ──── "m" ───────▶ assembles the root
 *     takes the layer    ◀── SCM_RIGHTS ── (where the data's file system may refuse it: waits for the answer)
 *     takes the terminal ◀── SCM_RIGHTS ──
 *     looks up the user  ◀──── "u" ─────── root entered
 *     writes the identity ─── "u" ───────▶ credentials, filter, execve
 */
import { SIGKILL } from "../linux/abi/sched.ts";
import { call } from "../linux/call.ts";
import { receiveFd } from "../linux/socket_pair.ts";
import { type Executable, type SpawnedProgram, spawnProgram } from "../linux/spawn.ts";
import { waitForExit } from "../linux/wait.ts";
import { writeIdMaps } from "./process/id_maps.ts";
import { type Identity, writeIdentity } from "./process/identity.ts";
import { lookUpUser } from "./process/lookup.ts";
import type { Spec } from "./spec/config.ts";

/** What starting needs besides the program. */
export interface StartRequest {
  readonly spec: Spec;
  /** `name|uid[:group|gid]`, looked up when the program asks for it. */
  readonly user: string;
  readonly asksForUser: boolean;
  /** Both ends of the socket pair; the second is the program's, and closed here. */
  readonly sockets: readonly [engine: number, program: number];
  /** Descriptors of this process that the program uses after its socket: HostPlan says which. */
  readonly inherit: readonly number[];
  readonly programFile: string;
  /** Called while the program assembles the root, before its questions are answered. */
  readonly onSpawned: (spawned: SpawnedProgram) => void;
  /**
   * Set when the program tells where the writable layer lies: called with a descriptor of it, which is the callee's, when
   * that is a tmpfs of the container alone. Nothing runs in the container before it returns.
   */
  readonly onUpper: ((fd: number) => void) | undefined;
}

/** A container whose command runs, or whose program has failed. */
export interface StartedContainer extends SpawnedProgram {
  /** Master of the terminal; undefined without `-t`. */
  readonly master: number | undefined;
  /** Who the user is, when the program has asked. */
  readonly identity: Identity | undefined;
}

/**
 * Starts the container.
 * @throws {SyscallError} when its process cannot be made.
 * @throws {UserError} when its user is unknown; the process has been ended.
 */
export function startContainer(executable: Executable, request: StartRequest): StartedContainer {
  const { spec, sockets } = request;
  const mapped = spec.linux.uidMappings.length > 0;
  const spawned = spawnProgram(executable, {
    namespaces: spec.linux.namespaces,
    inherit: [sockets[1], ...request.inherit],
    programFile: request.programFile,
    endsWithEngine: true,
    ...(mapped ? { waitFd: sockets[1], engineFd: sockets[0] } : {}),
  });
  try {
    call("close", sockets[1]);
    request.onSpawned(spawned);
    // Kept open as long as the engine lives: that is how the program knows.
    const release = () => {
      call("close", sockets[0]);
      spawned.release();
    };
    return { ...spawned, ...assist(spawned, request), release };
  } catch (error) {
    call("pidfd_send_signal", spawned.pidfd, SIGKILL, null, 0);
    waitForExit(spawned.pidfd);
    call("close", sockets[0]);
    spawned.release();
    throw error;
  }
}

type Answers = Pick<StartedContainer, "master" | "identity">;

/** Serves the program's requests in the order of its steps. */
function assist(spawned: SpawnedProgram, request: StartRequest): Answers {
  const { spec, user, asksForUser, sockets, onUpper } = request;
  const socket = sockets[0];
  if (spec.linux.uidMappings.length > 0) {
    writeIdMaps(spawned.pid, spec.linux);
    call("write", socket, new Uint8Array([0x6d]), 1);
  }
  if (onUpper !== undefined) takeUpper(socket, onUpper);
  const master = spec.process.terminal ? receiveFd(socket) : undefined;
  if (!asksForUser) return { master, identity: undefined };
  const letter = new Uint8Array(new ArrayBuffer(8));
  // Nothing to read means that the program has failed and gone; its report says why.
  if (call("read", socket, letter, 1) === 0) return { master, identity: undefined };
  const identity = lookUpUser(spawned.pid, user);
  writeIdentity(spawned.report.bytes, identity);
  call("write", socket, letter, 1);
  return { master, identity };
}

/** No descriptor means that the layer is on the disk, or that the program has failed and gone. */
function takeUpper(socket: number, onUpper: (fd: number) => void): void {
  const upper = receiveFd(socket);
  if (upper === undefined) return;
  onUpper(upper);
  call("write", socket, new Uint8Array([0x74]), 1);
}
