/**
 * Paths of procfs and sysfs that a container must not read or must not write: the union of what docker, podman
 * and containerd hide. A path that the kernel lacks is skipped when the lists are applied.
 */

/** Hidden: a directory under an empty read-only tmpfs, a file under the host's /dev/null. */
export const MASKED_PATHS: readonly string[] = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/sys/dev/block",
  "/sys/devices/virtual/powercap",
  "/sys/firmware",
  "/sys/fs/selinux",
];

/** Mounted read-only onto themselves, with all that is below. */
export const READONLY_PATHS: readonly string[] = [
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger",
];

/**
 * The files that tell when a processor was too hot, which gives away the load of the neighbours; masked where
 * they exist.
 * @param cpus number of processors of the host.
 */
export function thermalThrottlePaths(cpus: number): string[] {
  return Array.from({ length: cpus }, (_, cpu) => `/sys/devices/system/cpu/cpu${cpu}/thermal_throttle`);
}
