/** The other engines as the bench uses them: data, state and sockets of its own, networks of the host for all alike. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { output } from "./workspace.ts";

const DAEMON_MS_MAX = 20_000;
const CLEANUP_MS_MAX = 5000;
const POLL_MS = 50;
const CGROUPS = "/sys/fs/cgroup";
const CAP_SYS_RESOURCE = 24n;

/** Control groups of the other engines: a name of our own, since they leave theirs behind. */
const GROUP = `bunker-bench-${process.pid}`;

/** podman with everything below `directory`; the words before its command. */
export const podman = (directory: string): readonly string[] => [
  "podman",
  ...["--root", `${directory}/podman`, "--runroot", `${directory}/podman-run`],
  ...["--tmpdir", `${directory}/podman-tmp`, "--cgroup-manager=cgroupfs"],
];

/**
 * Options of `podman run`: the network of the host, and no raised limits where the machine forbids that. podman raises two by
 * default, which takes a capability that root of a sandbox may lack.
 */
export function podmanOptions(): readonly string[] {
  const common = ["--rm", "--network=host", `--cgroup-parent=/${GROUP}`];
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  const mayRaise = ((BigInt(`0x${effective}`) >> CAP_SYS_RESOURCE) & 1n) === 1n;
  return mayRaise ? common : [...common, "--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096"];
}

/** A Docker Engine on a socket and directory of its own. */
export interface DockerDaemon extends AsyncDisposable {
  /** The words before docker's command. */
  readonly client: readonly string[];
  /** Resident bytes of dockerd and containerd together. */
  residentBytes(): number;
}

/** Starts dockerd without networks, which need rules of a firewall. @throws {Error} when it does not answer */
export async function startDocker(directory: string): Promise<DockerDaemon> {
  const path = (name: string): string => `${directory}/docker-${name}`;
  mkdirSync(path("client"), { recursive: true });
  await Bun.write(path("daemon.json"), "{}");
  const flags = [
    ["--host", `unix://${path("socket")}`, "--data-root", path("data"), "--exec-root", path("exec")],
    ["--pidfile", path("pid"), "--config-file", path("daemon.json"), "--cgroup-parent", `/${GROUP}`],
    ["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"],
    // The default, -500, takes CAP_SYS_RESOURCE.
    ["--oom-score-adjust=0", "--log-level=error"],
  ].flat();
  const log = Bun.file(path("log"));
  const daemon = Bun.spawn(["dockerd", ...flags], { stdin: "ignore", stdout: log, stderr: log });
  const client = ["docker", "--config", path("client"), "--host", `unix://${path("socket")}`];
  await untilAnswers(client, path("log"));
  return {
    client,
    residentBytes: () => residentBytes(daemon.pid) + residentBytes(containerdOf(path("exec"))),
    [Symbol.asyncDispose]: async () => {
      daemon.kill("SIGTERM");
      await daemon.exited;
    },
  };
}

async function untilAnswers(client: readonly string[], log: string): Promise<void> {
  for (const end = Date.now() + DAEMON_MS_MAX; Date.now() < end; ) {
    if (Bun.spawnSync([...client, "version"], { stdout: "ignore", stderr: "ignore" }).exitCode === 0) return;
    // Until it has started.
    await Bun.sleep(POLL_MS);
  }
  throw new Error(`dockerd does not answer: ${readFileSync(log, "utf8").slice(-1000)}`);
}

const containerdOf = (directory: string): number =>
  Number(readFileSync(`${directory}/containerd/containerd.pid`, "utf8"));

function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "0";
  return Number(kilobytes) * 1024;
}

/** Removes them: in the one hierarchy of version 2, or in each of version 1. podman cleans up after it has returned. */
export async function removeGroups(): Promise<void> {
  const paths = ["", ...readdirSync(CGROUPS)].map((hierarchy) => `${CGROUPS}/${hierarchy}/${GROUP}`);
  for (const end = Date.now() + CLEANUP_MS_MAX; Date.now() < end; ) {
    const left = paths.filter((path) => existsSync(path) && !removeGroup(path));
    if (left.length === 0) return;
    // Processes in them are about to end.
    await Bun.sleep(POLL_MS);
  }
}

/** @returns whether it is gone with all groups below it */
function removeGroup(path: string): boolean {
  try {
    const below = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    for (const { name } of below) removeGroup(`${path}/${name}`);
    rmdirSync(path);
    return true;
  } catch {
    // EBUSY: a process is in it; ENOENT: somebody else was faster. The next look tells.
    return false;
  }
}

/** An image of one layer in docker, from the files of a directory. */
export function importIntoDocker(client: readonly string[], image: string, directory: string): void {
  const archive = `${directory}.tar`;
  output(["tar", "-C", directory, "-cf", archive, "."]);
  output([...client, "import", archive, image]);
}
