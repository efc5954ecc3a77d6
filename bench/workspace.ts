/**
 * Where the bench works: a mount namespace of its own, so that everything it mounts goes with it, and a directory on a
 * journaled ext4 in a loop file, since disks of virtual machines differ too much (ext4 without a journal creates files
 * 20 times slower after a large removal); a tmpfs where there is no loop device.
 */
import { existsSync, mkdirSync, rmSync } from "node:fs";

/** Set in the bench that runs inside the namespace. */
const INSIDE = "BUNKER_BENCH_INSIDE";
const DISK_SIZE = "12G";
const HYBRID = "/sys/fs/cgroup/unified";

/** A directory for data, and what it is. */
export interface Workspace extends Disposable {
  readonly path: string;
  /** For the machine's description. */
  readonly notes: readonly string[];
}

/** Starts this program again in a mount namespace of its own. @returns its exit code; undefined inside of it */
export function enterNamespace(): number | undefined {
  if (process.env[INSIDE] !== undefined) return undefined;
  const self = [process.execPath, ...process.argv.slice(1)];
  const { exitCode } = Bun.spawnSync(["unshare", "--mount", "--propagation", "private", ...self], {
    env: { ...process.env, [INSIDE]: "1" },
    stdio: ["inherit", "inherit", "inherit"],
  });
  return exitCode;
}

/** Makes the workspace; only inside the namespace. */
export function openWorkspace(): Workspace {
  // podman takes lower-case paths only; random parts of names have capitals.
  const directory = `/var/tmp/bunker-bench-${process.pid}`;
  mkdirSync(directory, { mode: 0o700 });
  const path = `${directory}/data`;
  mkdirSync(path);
  const disk = mountDisk(`${directory}/disk`, path);
  return {
    path,
    notes: [`Data on ${disk}.`, ...withoutHybrid()],
    [Symbol.dispose]: () => {
      succeeds(["umount", "--recursive", "--lazy", path]);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function mountDisk(file: string, target: string): string {
  const made = succeeds(["truncate", "-s", DISK_SIZE, file]) && succeeds(["mkfs.ext4", "-q", "-F", file]);
  if (made && succeeds(["mount", "-o", "loop,noatime", file, target])) return "ext4 in a loop file";
  if (succeeds(["mount", "-t", "tmpfs", "tmpfs", target])) return "a tmpfs";
  throw new Error("Cannot mount a file system for the bench: run it as root");
}

/** crun refuses to work with both versions of control groups at once. */
function withoutHybrid(): string[] {
  if (!existsSync(`${HYBRID}/cgroup.procs`) || !succeeds(["umount", HYBRID])) return [];
  // What is below is the machine's own tmpfs, where crun would leave files behind.
  succeeds(["mount", "-t", "tmpfs", "tmpfs", HYBRID]);
  return [`${HYBRID} is hidden from all, since crun refuses control groups of both versions.`];
}

/** Flushes the file system of `path`, so that no run pays for the one before. */
export function flush(path: string): void {
  succeeds(["sync", "-f", path]);
}

/** Runs a command. @returns whether its exit code is 0 */
export function succeeds(command: readonly string[]): boolean {
  return Bun.spawnSync([...command], { stdio: ["ignore", "ignore", "ignore"] }).exitCode === 0;
}

/** Runs a command and returns what it prints. @throws {Error} with its errors when it fails */
export function output(command: readonly string[], env: Readonly<Record<string, string>> = {}): string {
  const child = Bun.spawnSync([...command], { env: { ...process.env, ...env }, stdin: "ignore" });
  if (child.exitCode === 0) return child.stdout.toString().trim();
  throw new Error(`Cannot prepare: "${command.join(" ")}" failed: ${child.stderr.toString().trim()}`);
}
