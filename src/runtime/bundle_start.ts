/**
 * Starts the program of a bundle's container and answers its questions (requests.ts), until it says that the container is
 * complete or gives up. Which process is the container's depends on the namespaces: namespaces.ts.
 */
import { EPIPE } from "../linux/abi/errno.ts";
import { SIGKILL } from "../linux/abi/sched.ts";
import { call, callRaw, SyscallError } from "../linux/call.ts";
import type { SharedPage } from "../linux/memfd.ts";
import { report } from "../linux/program_core.ts";
import { receiveMessage } from "../linux/socket_pair.ts";
import {
  type CgroupFds,
  type Executable,
  type ProgramFailure,
  type SpawnedProgram,
  spawnProgram,
} from "../linux/spawn.ts";
import { type Exit, waitForExit } from "../linux/wait.ts";
import { type HookFailure, readHookFailure } from "./process/hook_report.ts";
import type { Request } from "./requests.ts";

/** What the engine does when the program asks; each gets the id of the process that the question is about. */
export type Answers = Readonly<Record<Request, (pid: number) => void | Promise<void>>>;

/** How the program is started. */
export interface BundleStart {
  readonly executable: Executable;
  /** CLONE_NEW* flags of the first clone: none when the program makes its namespaces itself. */
  readonly namespaces: number;
  /** The first clone makes a user namespace, whose maps the process waits for. */
  readonly mapped: boolean;
  /** The container's process is the second one. */
  readonly staged: boolean;
  /** Both ends of the socket pair; the second is the program's, and closed here. */
  readonly sockets: readonly [engine: number, program: number];
  /** After the socket: the descriptors that the program inherits. */
  readonly inherit: readonly number[];
  readonly page: SharedPage;
  readonly preserveFds: number;
  /** Path for the program where memfds may not be executed. */
  readonly programFile: string;
  readonly answers: Answers;
  /** Done while the program makes the container, before its first question is answered. */
  readonly meanwhile: () => Promise<void>;
  /** Group of version 2 in which the program starts. */
  readonly cgroup?: CgroupFds | undefined;
}

/** A container that is complete: its program waits for the fifo, or goes on to the command. */
export interface StartedBundle {
  readonly pid: number;
  readonly pidfd: number;
  /** Master of the terminal, when the program was given no other receiver for it. */
  readonly master: number | undefined;
  readonly page: SharedPage;
  /** The engine's end of the socket; closed at the other end once the command is executed. */
  readonly socket: number;
  /** Why the program gave up after all. */
  readonly failure: () => Promise<ProgramFailure | undefined>;
}

/** The program ended before the container was complete. */
export class ProgramEndedError extends Error {
  readonly exit: Exit;
  /** Undefined when it was killed. */
  readonly failure: ProgramFailure | undefined;
  /** The hook that has failed, if it was one. */
  readonly hook: HookFailure | undefined;

  constructor(exit: Exit, failure: ProgramFailure | undefined, page: Uint8Array) {
    super("Cannot complete the container: its process has ended");
    this.exit = exit;
    this.failure = failure;
    this.hook = readHookFailure(page);
  }
}

/**
 * Starts the program and serves it until it reports that the container is ready.
 * @throws {ProgramEndedError} when it gave up or was killed; whatever an answer throws, with the program ended.
 */
export async function startBundle(request: BundleStart): Promise<StartedBundle> {
  const { sockets, mapped } = request;
  const spawned = spawnProgram(request.executable, {
    namespaces: request.namespaces,
    inherit: [sockets[1], ...request.inherit],
    page: request.page,
    preserveFds: request.preserveFds,
    programFile: request.programFile,
    endsWithEngine: true,
    cgroup: request.cgroup,
    ...(mapped ? { waitFd: sockets[1], engineFd: sockets[0] } : {}),
  });
  call("close", sockets[1]);
  const container = new StartingContainer(spawned, request);
  try {
    if (mapped) await container.answer("m");
    await request.meanwhile();
    return await container.serve();
  } catch (error) {
    container.end();
    throw error;
  }
}

class StartingContainer {
  readonly #spawned: SpawnedProgram;
  readonly #request: BundleStart;
  readonly #socket: number;
  #master: number | undefined;
  /** The second process, once the first has ended. */
  #second: { readonly pid: number; readonly pidfd: number } | undefined;
  #reaped = false;

  constructor(spawned: SpawnedProgram, request: BundleStart) {
    this.#spawned = spawned;
    this.#request = request;
    this.#socket = request.sockets[0];
  }

  async serve(): Promise<StartedBundle> {
    for (;;) {
      const message = receiveMessage(this.#socket);
      if (message === undefined) throw await this.#ended();
      const letter = String.fromCharCode(message.letter);
      if (letter === "t") this.#master = message.fd;
      else await this.answer(letter as Request);
      if (letter === "s") return this.#started();
    }
  }

  async answer(letter: Request): Promise<void> {
    const beforeSecond = letter === "m" || letter === "o" || letter === "c";
    const { pid } = beforeSecond ? this.#spawned : this.#process();
    await this.#request.answers[letter](pid);
    const sent = callRaw("write", this.#socket, new Uint8Array([0x6d]), 1);
    // Killed while it waited: the other end is closed, as where it is read.
    if (sent === -EPIPE) throw await this.#ended();
    if (sent < 0) throw new SyscallError({ name: "write", text: `write(${this.#socket})`, errno: -sent });
  }

  /** Kills and reaps what there is. */
  end(): void {
    if (!this.#reaped) {
      call("pidfd_send_signal", this.#spawned.pidfd, SIGKILL, null, 0);
      waitForExit(this.#spawned.pidfd);
      this.#reaped = true;
    }
    const second = this.#second ?? this.#findSecond();
    if (second !== undefined) {
      call("pidfd_send_signal", second.pidfd, SIGKILL, null, 0);
      waitForExit(second.pidfd);
      call("close", second.pidfd);
      this.#second = undefined;
    }
    if (this.#master !== undefined) call("close", this.#master);
    call("close", this.#socket);
    this.#spawned.release();
  }

  #started(): StartedBundle {
    const { pid, pidfd } = this.#process();
    const { report: page, failure } = this.#spawned;
    return { pid, pidfd, master: this.#master, page, socket: this.#socket, failure };
  }

  /** The container's process. The first of two ends as soon as it has left the id of the second. */
  #process(): { readonly pid: number; readonly pidfd: number } {
    if (!this.#request.staged) return this.#spawned;
    if (!this.#reaped) {
      waitForExit(this.#spawned.pidfd);
      this.#reaped = true;
    }
    this.#second ??= this.#findSecond();
    if (this.#second === undefined)
      throw new Error("Cannot find the container's process: it was not started");
    return this.#second;
  }

  #findSecond(): { readonly pid: number; readonly pidfd: number } | undefined {
    if (!this.#request.staged) return undefined;
    const view = new DataView(this.#spawned.report.bytes.buffer);
    const pid = view.getUint32(report.second, true);
    // It is a child of this process that nobody else reaps, so the id is still its own.
    return pid === 0 ? undefined : { pid, pidfd: call("pidfd_open", pid, 0) };
  }

  async #ended(): Promise<ProgramEndedError> {
    const first = this.#reaped ? undefined : waitForExit(this.#spawned.pidfd);
    this.#reaped = true;
    const second = this.#second ?? this.#findSecond();
    const exit = second === undefined ? first : waitForExit(second.pidfd);
    if (second !== undefined) call("close", second.pidfd);
    this.#second = undefined;
    new DataView(this.#spawned.report.bytes.buffer).setUint32(report.second, 0, true);
    const failure = await this.#spawned.failure();
    return new ProgramEndedError(exit ?? { code: 127 }, failure, this.#spawned.report.bytes);
  }
}
