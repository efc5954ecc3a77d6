/**
 * Which mounts are refused: those that would stand where a privileged write to /proc or /sys is expected
 * (CVE-2019-16884, CVE-2025-52881), and those that cannot be made as they are asked for.
 */
import { UsageError } from "../../errors.ts";
import type { BundleMount } from "./bundle_mounts.ts";

/** Files of procfs that FUSE filesystems such as lxcfs stand for; nothing privileged is ever written to them. */
const PROC_FILES = new Set([
  "/proc/cpuinfo",
  "/proc/diskstats",
  "/proc/loadavg",
  "/proc/meminfo",
  "/proc/slabinfo",
  "/proc/stat",
  "/proc/swaps",
  "/proc/uptime",
  "/proc/net/dev",
  "/proc/sys/crypto/fips_enabled",
  "/proc/sys/kernel/ns_last_pid",
]);

/** @throws {UsageError} for a destination where nothing may be mounted. */
export function checkDestination({ kind, type, destination, prepared }: BundleMount): void {
  if (destination === "/") throw refusal(destination, "it is the root itself");
  if (destination === "/proc" && type !== "proc" && prepared.procfs !== true && kind !== "remount")
    throw refusal(destination, `only a procfs may be there, not ${type}`);
  if (destination.startsWith("/proc/") && !PROC_FILES.has(destination))
    throw refusal(destination, "it is inside /proc");
}

/** @throws {UsageError} for options that exclude each other, or that nothing can honour. */
export function checkMount({ kind, type, source, destination, options, mount }: BundleMount): void {
  if (type === "") throw refusal(destination, "the mount has no type");
  if (kind === "bind" && source === "") throw refusal(destination, "the bind mount has no source");
  if (options.actions.has("tmpcopyup") && type !== "tmpfs")
    throw refusal(destination, `"tmpcopyup" is for tmpfs, not ${type}`);
  if (options.data.some(([key]) => key === "idmap" || key === "ridmap"))
    throw refusal(destination, "maps of ids belong into uidMappings and gidMappings");
  const mapped =
    options.actions.has("idmap") || options.actions.has("ridmap") || mount.uidMappings !== undefined;
  if (mapped && kind !== "bind") throw refusal(destination, "only bind mounts can map ids");
}

const refusal = (destination: string, reason: string): UsageError =>
  new UsageError(`Cannot mount on "${destination}": ${reason}`);
