/**
 * What a container lets its root do, asked from inside by a script of busybox: the same script under every engine, so that
 * the answers can be compared. It opens for writing and writes nothing.
 */
import { callProber } from "./call_prober.ts";

/** What was found; lists are sorted. */
export interface Findings {
  /** Fields of /proc/self/status. */
  readonly status: Readonly<Record<string, string>>;
  /** By path: `null`, `empty`, `readable`, `missing`. */
  readonly hidden: Readonly<Record<string, string>>;
  /** Files that can be opened for writing. */
  readonly writable: readonly string[];
  /** `major:minor` of devices in /dev that can be opened. */
  readonly devices: readonly string[];
  /** Devices that could be made and opened. */
  readonly made: readonly string[];
  readonly descriptors: readonly string[];
  readonly namespaces: Readonly<Record<string, string>>;
  readonly sockets: readonly string[];
  /** Statuses of wait4(2), by number of the call. */
  readonly calls: readonly number[];
}

/** Everything that any of the engines hides. */
export const HIDDEN = (
  "/proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats /proc/sched_debug /proc/scsi " +
  "/proc/timer_list /proc/timer_stats /sys/devices/virtual/powercap /sys/firmware /sys/fs/selinux /sys/dev/block"
).split(" ");

/** Files by which a container could reach the host. */
const DANGEROUS = [
  "/proc/sys/kernel/core_pattern",
  "/proc/sys/kernel/modprobe",
  "/proc/sys/kernel/hotplug",
  "/proc/sys/kernel/panic",
  "/proc/sys/kernel/sysrq",
  "/proc/sys/vm/panic_on_oom",
  "/proc/sys/vm/drop_caches",
  "/proc/sys/fs/suid_dumpable",
  "/proc/sys/fs/binfmt_misc/register",
  "/proc/sys/net/ipv4/ip_forward",
  "/proc/sysrq-trigger",
  "/proc/irq/default_smp_affinity",
  "/proc/bus/pci",
  "/proc/kcore",
  "/proc/kmsg",
  "/proc/mtrr",
  "/proc/timer_list",
  "/sys/kernel/uevent_helper",
  "/sys/kernel/mm/transparent_hugepage/enabled",
  "/sys/kernel/security/apparmor/.load",
  "/sys/power/state",
  "/sys/fs/cgroup/release_agent",
  "/sys/fs/cgroup/cgroup.procs",
  "/sys/fs/cgroup/memory/release_agent",
  "/sys/fs/cgroup/memory/cgroup.procs",
  "/sys/fs/cgroup/devices/devices.allow",
  "/sys/fs/cgroup/pids/pids.max",
];

/** Devices that nobody gave: memory, ports, the kernel's log, disks, fuse, tun, kvm, loop. */
const FOREIGN = [
  "c 1 1",
  "c 1 4",
  "c 1 11",
  "c 10 229",
  "c 10 200",
  "c 10 232",
  "c 10 237",
  "c 4 0",
  "b 8 0",
  "b 254 0",
  "b 7 0",
];

const SCRIPT = `
export PATH=/bin
grep -E '^(Cap...|NoNewPrivs|Seccomp):' /proc/self/status | busybox sed 's/^/status /'
for p in ${HIDDEN.join(" ")}; do
  if [ ! -e $p ]; then kind=missing
  elif [ -c $p ] && [ $(busybox stat -c %t:%T $p) = 1:3 ]; then kind=null
  elif [ -d $p ] && [ -z "$(ls -A $p)" ]; then kind=empty
  else kind=readable; fi
  echo hidden $p $kind
done
for f in ${DANGEROUS.join(" ")}; do [ -f $f ] && (exec 3>> $f) 2> /dev/null && echo writable $f; done
for d in $(busybox find /dev -type c -o -type b); do
  case $d in /dev/console|/dev/pts/*|/dev/tty) continue;; esac
  (exec 3< $d) 2> /dev/null && echo device $(busybox stat -c %t:%T $d)
done
cd /tmp
${FOREIGN.map((device) => `mknod node ${device} 2> /dev/null && (exec 3< node) 2> /dev/null && echo made ${device.replaceAll(" ", ":")}; rm -f node`).join("\n")}
for f in /proc/self/fd/*; do echo descriptor \${f##*/}; done
for n in mnt pid uts ipc net cgroup; do echo namespace $n $(readlink /proc/self/ns/$n); done
busybox find / -xdev -type s 2> /dev/null | busybox sed 's/^/socket /'
/probe_calls > /tmp/calls
busybox od -An -v -tu4 -w4 /tmp/calls | busybox sed 's/^ */call /'
`;

/** The files that a root needs besides busybox. */
export const probeFiles = (): readonly {
  readonly name: string;
  readonly data: Uint8Array | string;
  readonly mode: number;
}[] => [
  { name: "probe", data: `#!/bin/sh${SCRIPT}`, mode: 0o755 },
  { name: "probe_calls", data: callProber(), mode: 0o755 },
];

/** Reads what the script has printed. @throws {Error} when it has not come to its end */
export function parseFindings(output: string): Findings {
  const lines = output.split("\n").map((line) => line.split(/[ \t]+/));
  const of = (kind: string): readonly (readonly string[])[] =>
    lines.filter(([word]) => word === kind).map(([, ...rest]) => rest);
  const list = (kind: string): readonly string[] =>
    of(kind)
      .map(([value = ""]) => value)
      .sort();
  const pairs = (kind: string): Readonly<Record<string, string>> =>
    Object.fromEntries(of(kind).map(([name = "", value = ""]) => [name.replace(":", ""), value]));
  const calls = of("call").map(([value]) => Number(value));
  if (calls.length === 0) throw new Error(`the probe has not ended: ${output.slice(-500)}`);
  return {
    status: pairs("status"),
    hidden: pairs("hidden"),
    writable: list("writable"),
    devices: list("device"),
    made: list("made"),
    descriptors: list("descriptor"),
    namespaces: pairs("namespace"),
    sockets: list("socket"),
    calls,
  };
}
