/**
 * A runtime with runc's command line, whichever it is: bunker, runc, crun. It has a root of its own in the sandbox, and
 * containers whose names begin with "bunker-", so that what they leave behind is seen.
 */
import { chmodSync, closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { callRaw } from "../../src/linux/call.ts";
import { removeGroup } from "./cgroup_files.ts";
import { readMachineState } from "./machine_state.ts";
import { type PipedResult, runPiped } from "./pipes.ts";
import { executable } from "./requires.ts";
import { type ConfigPatch, type Json, writeBundle } from "./runtime_bundle.ts";
import type { Sandbox } from "./sandbox.ts";

/** Those that the tests know. */
export const RUNTIME_NAMES = ["bunker", "crun", "runc"] as const;

export type RuntimeName = (typeof RUNTIME_NAMES)[number];

/** What `state` prints. */
export interface State {
  readonly ociVersion: string;
  readonly id: string;
  readonly status: string;
  readonly pid: number;
  readonly bundle: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** How a command of the runtime ended; output of a container that was created is not in it. */
export interface CommandResult {
  readonly exitCode: number | null;
  /** All that the runtime said, on stderr and in its log. */
  readonly messages: string;
}

/** A bundle on the disk, and the container that is to be made of it. */
export interface Bundle {
  readonly id: string;
  readonly directory: string;
  readonly root: string;
  readonly config: Json;
}

const UNIFIED = "/sys/fs/cgroup/unified";

/** crun refuses version 1 with controllers of version 2 beside it, so it is not shown these. */
const HIDE_UNIFIED = /\S/.test(readOr(`${UNIFIED}/cgroup.controllers`, ""))
  ? ["unshare", "--mount", "--propagation", "slave", "sh", "-c", `umount ${UNIFIED} && exec "$@"`, "sh"]
  : [];

const PROGRAMS: Readonly<Record<RuntimeName, readonly string[]>> = {
  bunker: [executable, "oci"],
  crun: [...HIDE_UNIFIED, "crun"],
  runc: ["runc"],
};

const WNOHANG = 1;
const PAUSE_MS = 2;
const EXIT_MS_MAX = 30_000;
const COMMAND_MS_MAX = 40_000;

let count = 0;

/** The command line of a runtime in one sandbox. */
export class Runtime implements AsyncDisposable {
  readonly name: RuntimeName;
  readonly directory: string;
  /** Where its containers are kept. */
  readonly root: string;
  readonly #prefix: readonly string[];
  readonly #ids: string[] = [];

  constructor(name: RuntimeName, sandbox: Sandbox, prefix: readonly string[] = []) {
    this.name = name;
    this.directory = sandbox.directory;
    this.root = sandbox.state;
    this.#prefix = prefix;
    // A root of mapped ids has to pass through here.
    chmodSync(this.directory, 0o711);
  }

  /** The words of a command. */
  words(...args: readonly string[]): string[] {
    // As text: in JSON bunker writes errors alone, since podman reads the file as one value.
    const log = ["--log", this.#log];
    return [...this.#prefix, ...PROGRAMS[this.name], "--root", this.root, ...log, ...args];
  }

  get #log(): string {
    return `${this.directory}/log`;
  }

  /** Makes a bundle, with an id that nothing else has. */
  async bundle(patch: ConfigPatch = {}): Promise<Bundle> {
    const id = `bunker-${this.name}-${process.pid}-${count++}`;
    const directory = `${this.directory}/${id}`;
    const config = await writeBundle(directory, id, patch);
    return { id, directory, root: `${directory}/rootfs`, config };
  }

  /** Any command, with pipes: not for one that starts a container and leaves it. */
  command(...args: readonly string[]): Promise<PipedResult> {
    return runPiped(this.words(...args), { cwd: this.directory, timeoutMs: COMMAND_MS_MAX });
  }

  /** `run` in the foreground. */
  run(bundle: Bundle, ...flags: readonly string[]): Promise<PipedResult> {
    this.#ids.push(bundle.id);
    return this.command("run", "--bundle", bundle.directory, ...flags, bundle.id);
  }

  /** What a container prints. @throws {Error} when it does not end with 0. */
  async output(patch: ConfigPatch): Promise<string> {
    return this.outputOf(await this.bundle(patch));
  }

  /** The same for a bundle that is there. */
  async outputOf(bundle: Bundle, ...flags: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.run(bundle, ...flags);
    if (exitCode !== 0) throw new Error(`exit code ${exitCode}: ${stdout}${stderr}${this.messages()}`);
    return stdout;
  }

  /** `create`, whether it succeeds or not; the container writes into files beside the bundle. */
  tryCreate(bundle: Bundle, ...flags: readonly string[]): Promise<CommandResult> {
    this.#ids.push(bundle.id);
    const words = ["--bundle", bundle.directory, "--pid-file", pidFileOf(bundle.directory)];
    return this.detached(bundle, "create", ...words, ...flags, bundle.id);
  }

  /** A container of a patch or bundle, created. @throws {Error} when it cannot be. */
  async create(patch: ConfigPatch | Bundle, ...flags: readonly string[]): Promise<Container> {
    const bundle = isBundle(patch) ? patch : await this.bundle(patch);
    const { exitCode, messages } = await this.tryCreate(bundle, ...flags);
    if (exitCode !== 0) throw new Error(`create ended with ${exitCode}: ${messages}`);
    return new Container(this, bundle);
  }

  /** The same, started. */
  async start(patch: ConfigPatch | Bundle, ...flags: readonly string[]): Promise<Container> {
    const container = await this.create(patch, ...flags);
    await container.start();
    return container;
  }

  /**
   * Creates what has to be refused. @returns what the runtime said
   * @throws {Error} when it is not refused, or a container is there all the same
   */
  async refusal(patch: ConfigPatch | Bundle): Promise<string> {
    const bundle = isBundle(patch) ? patch : await this.bundle(patch);
    const { exitCode, messages } = await this.tryCreate(bundle);
    if (exitCode === 0) throw new Error(`${this.name} does not refuse ${JSON.stringify(patch)}`);
    const { exitCode: found } = await this.command("state", bundle.id);
    if (found === 0) throw new Error(`${this.name} has failed with "${messages}" and made a container`);
    return messages;
  }

  /** The state, or undefined when there is no such container. */
  async findState(id: string): Promise<State | undefined> {
    const { exitCode, stdout } = await this.command("state", id);
    return exitCode === 0 ? (JSON.parse(stdout) as State) : undefined;
  }

  /** A command whose container outlives it: outputs go to files. */
  async detached(bundle: Bundle, ...args: readonly string[]): Promise<CommandResult> {
    // Not /dev/null: crun gives what it finds there to the container's user.
    const [input, out, err] = ["in", "out", "err"].map((name) =>
      openSync(`${bundle.directory}/${name}`, "a+"),
    );
    const before = this.messages().length;
    const child = Bun.spawn(this.words(...args), {
      cwd: this.directory,
      stdio: [input as number, out as number, err as number],
      timeout: COMMAND_MS_MAX,
    });
    const exitCode = await child.exited;
    for (const fd of [input, out, err]) closeSync(fd as number);
    const stderr = readFileSync(`${bundle.directory}/err`, "utf8");
    return {
      exitCode: child.signalCode === null ? exitCode : null,
      messages: this.messages().slice(before) + stderr,
    };
  }

  /** Everything in the log. */
  messages(): string {
    return readOr(this.#log, "");
  }

  /** Removes what a test has made and left, and the compiled filters that bunker keeps. */
  async [Symbol.asyncDispose](): Promise<void> {
    rmSync(`${this.root}/~seccomp`, { recursive: true, force: true });
    for (const id of this.#ids) {
      const pid = Number(readOr(pidFileOf(`${this.directory}/${id}`), "0"));
      await this.command("delete", "--force", id);
      // The first process of a PID namespace ends when all in it are reaped: those, too, that an exec of crun's has left here.
      readMachineState();
      if (pid > 0) await waitForPid(pid);
      // That others leave groups behind when they fail is said by a test; it is not to spoil the next ones.
      if (this.name !== "bunker") removeGroup(`/${id}`);
    }
  }
}

/** A container that was created. */
export class Container {
  readonly id: string;
  readonly bundle: Bundle;
  readonly #runtime: Runtime;

  constructor(runtime: Runtime, bundle: Bundle) {
    this.#runtime = runtime;
    this.bundle = bundle;
    this.id = bundle.id;
  }

  async state(): Promise<State> {
    const state = await this.#runtime.findState(this.id);
    if (state === undefined) throw new Error(`There is no container "${this.id}"`);
    return state;
  }

  async status(): Promise<string> {
    return (await this.state()).status;
  }

  tryStart(): Promise<CommandResult> {
    return this.#runtime.detached(this.bundle, "start", this.id);
  }

  async start(): Promise<void> {
    const { exitCode, messages } = await this.tryStart();
    if (exitCode !== 0) throw new Error(`start ended with ${exitCode}: ${messages}`);
  }

  kill(signal: string): Promise<PipedResult> {
    return this.#runtime.command("kill", this.id, signal);
  }

  delete(...flags: readonly string[]): Promise<PipedResult> {
    return this.#runtime.command("delete", ...flags, this.id);
  }

  /** Kills it and deletes it. */
  async remove(): Promise<void> {
    await this.kill("KILL");
    await this.ended();
    const { exitCode, stderr } = await this.delete();
    if (exitCode !== 0) throw new Error(`delete ended with ${exitCode}: ${stderr}`);
  }

  /** Runs a script inside. @throws {Error} when it does not end with 0. */
  async sh(script: string, ...flags: readonly string[]): Promise<string> {
    const words = ["exec", ...flags, this.id, "/bin/sh", "-c", script];
    const { exitCode, stdout, stderr } = await this.#runtime.command(...words);
    if (exitCode !== 0) throw new Error(`exec ended with ${exitCode}: ${stdout}${stderr}`);
    return stdout;
  }

  /** What the process has printed so far. */
  output(): string {
    return readFileSync(`${this.bundle.directory}/out`, "utf8");
  }

  /** Waits until its process has ended. @returns the exit code, or 128 + n for signal n */
  async ended(): Promise<number> {
    const pid = Number(readOr(pidFileOf(this.bundle.directory), "0"));
    return pid === 0 ? 0 : waitForPid(pid);
  }

  /** Waits until its process has printed `text`. */
  async printed(text: string): Promise<string> {
    for (const end = Date.now() + EXIT_MS_MAX; !this.output().includes(text); ) {
      if (Date.now() > end) throw new Error(`no "${text}" in "${this.output()}"`);
      await Bun.sleep(PAUSE_MS);
    }
    return this.output();
  }
}

const pidFileOf = (directory: string): string => `${directory}/pid`;

/** Containers become children of this process, a subreaper, when their runtime has ended. */
async function waitForPid(pid: number): Promise<number> {
  const status = new Int32Array(new ArrayBuffer(4));
  for (const end = Date.now() + EXIT_MS_MAX; Date.now() < end; await Bun.sleep(PAUSE_MS)) {
    const found = callRaw("wait4", pid, new Uint8Array(status.buffer), WNOHANG, null);
    if (found === pid) return exitCodeOf(status[0] ?? 0);
    // Reaped by somebody else, as by `delete` of a runtime that waits.
    if (found < 0) return 0;
  }
  throw new Error(`Process ${pid} has not ended`);
}

const exitCodeOf = (status: number): number =>
  (status & 0x7f) === 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f);

function isBundle(value: ConfigPatch | Bundle): value is Bundle {
  return typeof value["directory"] === "string";
}

/** Writes an executable script of the host's shell. @returns its path */
export function writeScript(path: string, body: string): string {
  writeFileSync(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return path;
}

function readOr(path: string, otherwise: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : otherwise;
}
