/**
 * What a test needs of the machine. A test that lacks something is skipped, with the reason in its title, so that the run
 * shows what was not shown.
 *
 *     testIf(["root", "overlayfs"], "keeps what is written", () => { … });
 */
import { test } from "bun:test";
import { accessSync, constants, existsSync, readdirSync, readFileSync } from "node:fs";
import { TEST_MS_MAX } from "../../scripts/test_limits.ts";

/** One thing that a machine may lack; `program NAME` is a command that is looked up in PATH. */
export type Need =
  | "root"
  | "x86-64"
  | "user namespaces"
  | "overlayfs"
  | "cgroup v1"
  | "cgroup v2"
  | "apparmor"
  | "systemd"
  | "user systemd"
  | "memfd_noexec"
  | "docker engine"
  | "the executable"
  | "a withheld capability"
  | "memory nodes"
  | "keyrings"
  | "disk quotas"
  | "loop devices"
  | "real-time scheduling"
  | `program ${string}`;

/** The executable that `scripts/build.ts` writes. */
export const executable = new URL("../../dist/bunker", import.meta.url).pathname;

/** Why these needs are not met here, e.g. `"needs root"`; undefined when they are. */
export function whyMissing(needs: readonly Need[]): string | undefined {
  const missing = needs.find((need) => !isMet(need));
  return missing === undefined ? undefined : `needs ${missing}`;
}

/** A test that runs where its needs are met, and is shown as `skipped: reason: name` elsewhere. */
export function testIf(
  needs: readonly Need[],
  name: string,
  body: () => void | Promise<void>,
  timeoutMs = TEST_MS_MAX,
): void {
  const reason = whyMissing(needs);
  test.skipIf(reason !== undefined)(titleOf(name, reason), body, timeoutMs);
}

/** The title of a test or group that is skipped for `reason`. */
export function titleOf(name: string, reason: string | undefined): string {
  return reason === undefined ? name : `skipped: ${reason}: ${name}`;
}

/** A script that makes a small ext4, mounts it and takes it away. */
const mountDisk = (mkfsOptions = "", mountOptions = "loop"): string => `
  set -e
  directory=$(mktemp -d)
  trap 'rm -r "$directory"' EXIT
  mkdir "$directory/root"
  truncate -s 8M "$directory/disk"
  mkfs.ext4 -q ${mkfsOptions} "$directory/disk"
  mount -o ${mountOptions} "$directory/disk" "$directory/root"
  umount "$directory/root"`;

const isRoot = process.geteuid?.() === 0;

function isMet(need: Need): boolean {
  if (need.startsWith("program "))
    return Bun.which(need.slice("program ".length), { PATH: searchPath }) !== null;
  return probes[need as keyof typeof probes]();
}

/** An ordinary user's PATH has no sbin, where Debian keeps daemons. */
const searchPath = `${process.env["PATH"] ?? ""}:/usr/local/sbin:/usr/sbin:/sbin`;

const probes: Readonly<Record<Exclude<Need, `program ${string}`>, () => boolean>> = {
  root: () => isRoot,
  "x86-64": () => process.arch === "x64",
  "user namespaces": () => succeeds(["unshare", "--user", "--map-root-user", "true"]),
  overlayfs: () => /\toverlay$/m.test(readFileSync("/proc/filesystems", "utf8")),
  "cgroup v1": () => controllersV1().some((name) => isWritable(`/sys/fs/cgroup/${name}/cgroup.procs`)),
  "cgroup v2": () => cgroupV2Controllers().length > 0 && isWritable("/sys/fs/cgroup/cgroup.procs"),
  apparmor: () =>
    isRoot && existsSync("/sys/kernel/security/apparmor/.load") && isMet("program apparmor_parser"),
  // As sd_booted(3) asks; and the bus by which the first process is spoken to.
  systemd: () => existsSync("/run/systemd/system") && existsSync("/run/dbus/system_bus_socket"),
  // That of the ordinary user whom tests run as.
  "user systemd": () => existsSync("/run/user/1000/bus"),
  // Since Linux 6.3.
  memfd_noexec: () => existsSync("/proc/sys/vm/memfd_noexec"),
  "docker engine": () => isRoot && ["dockerd", "docker"].every((name) => isMet(`program ${name}`)),
  "the executable": () => existsSync(executable),
  // Capabilities up to Linux 5.9: 41 of them.
  "a withheld capability": () => !/^CapBnd:\t0*1ffffffffff$/m.test(readFileSync("/proc/self/status", "utf8")),
  "memory nodes": () => existsSync("/proc/self/numa_maps"),
  keyrings: () => existsSync("/proc/keys"),
  // Refused to a group without a share of it (sched(7)).
  "real-time scheduling": () => isRoot && succeeds(["chrt", "--fifo", "1", "true"]),
  "loop devices": () => isRoot && succeeds(["sh", "-c", mountDisk()]),
  // Whether the kernel keeps them is seen only by mounting a file system that has some.
  "disk quotas": () =>
    isRoot && succeeds(["sh", "-c", mountDisk("-O quota -E quotatype=usrquota", "loop,usrquota")]),
};

/** Directories of /sys/fs/cgroup that limit something, on a machine with version 1. */
function controllersV1(): readonly string[] {
  if (!existsSync("/sys/fs/cgroup")) return [];
  return readdirSync("/sys/fs/cgroup").filter((name) => /^(pids|memory|cpu|devices)$/.test(name));
}

/** Controllers of version 2; beside version 1 that hierarchy has none. */
function cgroupV2Controllers(): readonly string[] {
  const path = "/sys/fs/cgroup/cgroup.controllers";
  return existsSync(path) ? readFileSync(path, "utf8").split(/\s+/).filter(Boolean) : [];
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function succeeds(command: readonly string[]): boolean {
  if (Bun.which(command[0] as string) === null) return false;
  return Bun.spawnSync([...command], { stdin: "ignore", stdout: "ignore", stderr: "ignore" }).exitCode === 0;
}
