/**
 * A host of its own for an engine: mount, network, process, host-name, IPC and control-group namespaces, in which the
 * engine is as alone as on a machine. Bridges, rules of a firewall, /run and the control groups are the host's, so that
 * nothing of the machine is changed, everything ends with the host's first process, and what a container has left behind
 * can be counted from outside.
 *
 *     test ──▶ setpriv --pdeathsig ──▶ unshare --kill-child ──▶ sleep (pid 1 of the host)
 *     test ──▶ HOST/enter ──▶ nsenter --all ──▶ podman, dockerd, ctr, …
 */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { type PipedOptions, type PipedResult, runPiped } from "../helpers/pipes.ts";
import { CgroupTree } from "./cgroup_tree.ts";
import { runtimeName } from "./runtime.ts";

const COMMAND_MS_MAX = 60_000;
const SETTLE_MS_MAX = 30_000;
const POLL_MS = 30;

/** How a host differs from others. */
export interface HostOptions {
  /** Its host name. */
  readonly name: string;
  /** Whether the hierarchy of version 2 is there beside those of version 1 [true]. */
  readonly unified?: boolean;
}

/** A running host; disposing of it ends all that runs in it. */
export class CallerHost implements AsyncDisposable {
  /** Its files, which the machine sees under the same path. */
  readonly directory: string;
  /** Pid of its first process. */
  readonly pid: number;
  readonly #cgroups: CgroupTree;
  readonly #owned: AsyncDisposableStack;

  private constructor(cgroups: CgroupTree, { pid, owned }: { pid: number; owned: AsyncDisposableStack }) {
    this.#cgroups = cgroups;
    this.#owned = owned;
    this.pid = pid;
    this.directory = mkdtempSync(`${tmpdir()}/bunker-callers-`);
    // Other users have to come through: those of user namespaces, and the one without privilege.
    chmodSync(this.directory, 0o755);
    const lines = cgroups.procs.map((path) => `echo $$ > ${path}`);
    this.script("enter", [...lines, `exec nsenter --target ${pid} --all -- "$@"`]);
  }

  /** Starts one. @throws {Error} when the machine does not allow it */
  static async start({ name, unified = true }: HostOptions): Promise<CallerHost> {
    await using stack = new AsyncDisposableStack();
    const cgroups = new CgroupTree({ unified });
    stack.defer(() => cgroups.remove());
    const script = [
      "set -e",
      // As systemd leaves it, and as podman wants it.
      "mount --make-rshared /",
      "mount -t tmpfs -o mode=755 tmpfs /run",
      "mount -t sysfs sysfs /sys",
      ...cgroups.mountCommands(),
      ...accountCommands(),
      "ip link set lo up",
      `hostname ${name}`,
      "echo ready",
      "exec sleep infinity",
    ];
    const unshare = `exec setpriv --pdeathsig KILL unshare ${NAMESPACES} sh -c "$0"`;
    const child = Bun.spawn(
      ["sh", "-c", [...cgroups.joinCommands(), unshare].join("\n"), script.join("\n")],
      {
        env: { PATH: HOST_PATH },
        stdin: "ignore",
        stdout: "pipe",
        stderr: "inherit",
      },
    );
    stack.defer(async () => {
      child.kill("SIGKILL");
      await child.exited;
    });
    if (!(await says(child.stdout, "ready"))) throw new Error("The host does not start");
    return new CallerHost(cgroups, { pid: firstChild(child.pid), owned: stack.move() });
  }

  /** The command that runs `words` in the host. */
  inside(words: readonly string[]): string[] {
    return [`${this.directory}/enter`, ...words];
  }

  /** Runs a command in the host, and gives whatever comes of it. */
  run(words: readonly string[], options: PipedOptions = {}): Promise<PipedResult> {
    return runPiped(this.inside(words), {
      timeoutMs: COMMAND_MS_MAX,
      ...options,
      env: this.env(options.env),
    });
  }

  /** As {@link run}. @returns what it says, trimmed @throws {Error} when it fails */
  async succeed(words: readonly string[], options: PipedOptions = {}): Promise<string> {
    return successOf(words, await this.run(words, options));
  }

  /** Starts a daemon in the host, which ends with it; what it says goes to the file `NAME.log`. */
  daemon(name: string, words: readonly string[]): Bun.Subprocess {
    const log = Bun.file(`${this.directory}/${name}.log`);
    return Bun.spawn(this.inside(words), { env: this.env(), stdin: "ignore", stdout: log, stderr: log });
  }

  /** Makes a control group, in which a caller wants its containers: some runtimes leave it behind, some do not. */
  async makeCgroup(name: string): Promise<void> {
    await this.succeed([
      "sh",
      "-c",
      `for each in ${this.#cgroups.mounts.join(" ")}; do mkdir $each/${name}; done`,
    ]);
  }

  /** Writes an executable shell script. @returns its path */
  script(name: string, lines: readonly string[]): string {
    const path = `${this.directory}/${name}`;
    writeFileSync(path, ["#!/bin/sh", ...lines, ""].join("\n"));
    chmodSync(path, 0o755);
    return path;
  }

  /** A new directory below the host's. */
  makeDirectory(name: string): string {
    const path = `${this.directory}/${name}`;
    mkdirSync(path, { recursive: true });
    return path;
  }

  env(more: PipedOptions["env"] = {}): Record<string, string | undefined> {
    return { PATH: HOST_PATH, HOME: this.directory, TERM: "xterm", LC_ALL: "C.UTF-8", ...more };
  }

  /** Processes, mounts, control groups, network links and states of containers in the host, each as one line. */
  state(): readonly string[] {
    const read = (path: string): string => readFileSync(`/proc/${this.pid}/${path}`, "utf8");
    const mounts = read("mountinfo").trimEnd().split("\n");
    const links = read("net/dev").matchAll(/^ *([^:\n]+):/gm);
    return [
      ...this.#cgroups.processes().map((pid) => `process: ${commandOf(pid)}`),
      ...mounts.map((line) => `mount: ${line.split(" ")[4]}`),
      ...[...links].map(([, name]) => `link: ${name}`),
      ...this.#cgroups.directories().map((path) => `cgroup: ${path}`),
      ...STATE_DIRECTORIES.flatMap((path) => listQuietly(`/proc/${this.pid}/root${path}`)),
    ];
  }

  /** What there is beyond `before`, once nothing goes away by itself any more. */
  async leftBehind(before: readonly string[]): Promise<readonly string[]> {
    const end = Date.now() + SETTLE_MS_MAX;
    for (;;) {
      const left = subtract(this.state(), before);
      if (left.length === 0 || Date.now() > end) return left;
      // Looking again is the only way to know.
      await Bun.sleep(POLL_MS);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Starts a host and what `start` starts in it; when that fails, nothing of the host is left. */
export async function startOnHost<T>(name: string, start: (host: CallerHost) => Promise<T>): Promise<T> {
  await using stack = new AsyncDisposableStack();
  // crun 1.8 refuses hybrid control groups when version 2 has a controller.
  const host = stack.use(await CallerHost.start({ name, unified: runtimeName !== "crun" }));
  const started = await start(host);
  stack.move();
  return started;
}

const NAMESPACES =
  "--mount --propagation=private --uts --ipc --net --cgroup --pid --fork --kill-child --mount-proc";
const HOST_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** @throws {Error} with all that the command said, unless it ended with 0 */
export function successOf(words: readonly string[], { exitCode, stdout, stderr }: PipedResult): string {
  if (exitCode !== 0) throw new Error(`"${words.join(" ")}" fails (${exitCode}): ${stdout}${stderr}`);
  return stdout.trim();
}

/** Waits until `isSo`. @throws {Error} when it does not become so in time */
export async function until(
  what: string,
  isSo: () => Promise<boolean> | boolean,
  msMax = 60_000,
): Promise<void> {
  const end = Date.now() + msMax;
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error(`not in time: ${what}`);
    await Bun.sleep(POLL_MS);
  }
}

function listQuietly(path: string): readonly string[] {
  try {
    return (
      readdirSync(path)
        // What runtimes compile and keep for the next container: crun below ".", bunker below "~".
        .filter((name) => !/^[.~]/.test(name))
        .map((name) => `state: ${path}/${name}`)
    );
  } catch {
    // Another runtime is tested, or none has run yet.
    return [];
  }
}

/** An ordinary user of the host, with ids for containers of its own. */
export const USER = { name: "rootless", uid: 4711 } as const;

/** Where runtimes keep one directory for each container, unless the caller names another. */
const STATE_DIRECTORIES = ["/run", `/run/user/${USER.uid}`].flatMap((path) =>
  ["bunker/oci", "runc", "crun"].map((name) => `${path}/${name}`),
);

/** The host's own lists of users, in place of the machine's. */
function accountCommands(): readonly string[] {
  const { name, uid } = USER;
  const ids = `containers:200000:100000\\n${name}:400000:65536\\n`;
  const replaced = (path: string, command: string): string =>
    `if [ -e ${path} ]; then (${command}) > /run/list; n=/run/host-$(basename ${path}); mv /run/list $n; mount --bind $n ${path}; fi`;
  return [
    replaced("/etc/subuid", `printf '${ids}'`),
    replaced("/etc/subgid", `printf '${ids}'`),
    replaced("/etc/passwd", `cat /etc/passwd; echo ${name}:x:${uid}:${uid}::/:/bin/sh`),
    replaced("/etc/group", `cat /etc/group; echo ${name}:x:${uid}:`),
  ];
}

function subtract(after: readonly string[], before: readonly string[]): readonly string[] {
  const rest = [...before];
  return after.filter((line) => {
    const index = rest.indexOf(line);
    if (index >= 0) rest.splice(index, 1);
    return index < 0;
  });
}

function firstChild(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return Number(children.trim().split(" ")[0]);
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").slice(0, 200);
  } catch {
    // It has ended meanwhile.
    return "";
  }
}

async function says(stream: ReadableStream<Uint8Array>, word: string): Promise<boolean> {
  const reader = stream.getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (value !== undefined) text += new TextDecoder().decode(value);
    if (text.includes(word)) return true;
    if (done) return false;
  }
}
