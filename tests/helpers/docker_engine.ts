/**
 * A real Docker Engine for a test: Debian's dockerd with its own containerd, on a socket and data directory of its own.
 * Nothing of the machine is changed for it, and nothing is left of it:
 *
 *   --bridge=none --iptables=false   no network device, no rule of a firewall, and no right needed to make them;
 *   --oom-score-adjust=0             the default, -500, takes CAP_SYS_RESOURCE, which root may lack;
 *   --cgroup-parent                  cgroups of its own, since dockerd leaves "docker" behind in every hierarchy;
 *   unshare --mount                  what overlay2 mounts goes with the daemon, and the machine never sees it.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { removeGroupTree } from "./cgroup_files.ts";
import { type PipedOptions, type PipedResult, runPiped } from "./pipes.ts";

const START_MS_MAX = 60_000;
const STOP_MS_MAX = 30_000;
const POLL_MS = 50;
/** `docker build` and `docker import` of a few hundred megabytes. */
const BUILD_MS_MAX = 120_000;
const CGROUPS = "/sys/fs/cgroup";

/** A running engine. */
export interface DockerEngine extends AsyncDisposable {
  /** Runs `docker ARGS…` and gives whatever comes of it. */
  run(args: readonly string[], options?: PipedOptions): Promise<PipedResult>;
  /** Builds an image. @throws {Error} with the output when that fails. */
  build(tag: string, context: string, args?: Readonly<Record<string, string>>): Promise<void>;
  /** Makes an image of one layer from the files of a directory. */
  import(tag: string, directory: string): Promise<void>;
}

/** Starts an engine and waits until it answers. @throws {Error} with its log when it does not. */
export async function startDockerEngine(): Promise<DockerEngine> {
  await using stack = new AsyncDisposableStack();
  const directory = mkdtempSync(`${tmpdir()}/bunker-docker-`);
  stack.defer(() => rmSync(directory, { recursive: true, force: true }));
  const cgroup = `bunker-test-docker-${process.pid}`;
  stack.defer(() => removeCgroups(cgroup));
  const daemon = spawnDaemon(directory, cgroup);
  stack.defer(() => stopDaemon(daemon, directory));
  const docker = (args: readonly string[], options: PipedOptions = {}): Promise<PipedResult> =>
    runPiped(["docker", "--host", `unix://${directory}/socket`, ...args], {
      ...options,
      env: { PATH: process.env["PATH"], DOCKER_CONFIG: `${directory}/client`, DOCKER_BUILDKIT: "0" },
    });
  await untilAnswers(docker, directory);
  const owned = stack.move();
  return {
    run: docker,
    build: async (tag, context, args = {}) => {
      const values = Object.entries(args).flatMap(([name, value]) => ["--build-arg", `${name}=${value}`]);
      const words = ["build", "--network=none", "--tag", tag, ...values, context];
      await succeed(docker(words, { timeoutMs: BUILD_MS_MAX }));
    },
    import: async (tag, files) => {
      const archive = `${directory}/import.tar`;
      await succeed(runPiped(["tar", "-C", files, "-cf", archive, "."], { timeoutMs: BUILD_MS_MAX }));
      await succeed(docker(["import", archive, tag], { timeoutMs: BUILD_MS_MAX }));
      rmSync(archive);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function spawnDaemon(directory: string, cgroup: string): Bun.Subprocess {
  const path = (name: string): string => `${directory}/${name}`;
  mkdirSync(path("client"));
  const flags = [
    ["--host", `unix://${path("socket")}`],
    ["--data-root", path("data")],
    ["--exec-root", path("exec")],
    ["--pidfile", path("pid")],
    ["--config-file", path("daemon.json")],
    ["--cgroup-parent", `/${cgroup}`],
    ["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"],
    ["--oom-score-adjust=0", "--log-level=warn"],
  ].flat();
  Bun.write(path("daemon.json"), "{}");
  const log = Bun.file(path("log"));
  return Bun.spawn(["unshare", "--mount", "--propagation=private", "dockerd", ...flags], {
    env: { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` },
    stdin: "ignore",
    stdout: log,
    stderr: log,
  });
}

async function untilAnswers(docker: DockerEngine["run"], directory: string): Promise<void> {
  const end = Date.now() + START_MS_MAX;
  while (Date.now() < end) {
    // Each attempt waits for the one before.
    const { exitCode } = await docker(["version"]);
    if (exitCode === 0) return;
    await Bun.sleep(POLL_MS);
  }
  throw new Error(`dockerd does not answer:\n${readFileSync(`${directory}/log`, "utf8")}`);
}

/** SIGTERM ends the containers, the containerd that dockerd has started, and then itself. */
async function stopDaemon(daemon: Bun.Subprocess, directory: string): Promise<void> {
  const timer = setTimeout(() => daemon.kill("SIGKILL"), STOP_MS_MAX);
  daemon.kill("SIGTERM");
  await daemon.exited;
  clearTimeout(timer);
  const containerd = `${directory}/exec/containerd/containerd.pid`;
  if (existsSync(containerd)) killQuietly(Number(readFileSync(containerd, "utf8")));
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended with dockerd, as it does unless that one was killed.
  }
}

/** In the one hierarchy of version 2, or in each of version 1. */
async function removeCgroups(name: string): Promise<void> {
  const hierarchies = ["", ...readdirSync(CGROUPS)];
  await Promise.all(hierarchies.map((hierarchy) => removeGroupTree(`${CGROUPS}/${hierarchy}/${name}`)));
}

async function succeed(running: Promise<PipedResult>): Promise<void> {
  const { exitCode, stdout, stderr } = await running;
  if (exitCode !== 0) throw new Error(`docker failed (${exitCode}): ${stdout}${stderr}`);
}
