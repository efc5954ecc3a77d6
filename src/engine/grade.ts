/** From what the kernel was found to allow to the grade of isolation, with the reasons for what is missing: pure. */
import type { ProbeResults, Trial } from "./probe.ts";
import type { InfoEntry } from "./summary.ts";

/** How well containers are isolated here (ARCHITECTURE.md, Grades of isolation). */
export type Grade = "full" | "nested" | "minimal" | "none";

/** What each trial stands for, in a reason. */
const names: Readonly<Partial<Record<Trial, string>>> = {
  namespaces: "namespaces",
  mounts: "mount(2)",
  overlay: "overlayfs on the data directory's filesystem",
  overlayOnTmpfs: "overlayfs on a tmpfs",
  pivotRoot: "pivot_root(2)",
  proc: "a new /proc",
  chroot: "chroot(2)",
};

/** The grade, its reason naming every refusal that keeps it from being the best. */
export function gradeOf(probe: ProbeResults): { readonly grade: Grade; readonly reason: string | undefined } {
  const refusal = refusalsOf(probe);
  if (probe.namespaces !== undefined) return { grade: "none", reason: refusal(["namespaces"]) };
  if (probe.mounts !== undefined) {
    const grade = probe.chroot === undefined ? "minimal" : "none";
    return { grade, reason: refusal(["mounts", "chroot"]) };
  }
  const reason = refusal(["overlay", "overlayOnTmpfs", "pivotRoot", "proc"]);
  const full = probe.overlay === undefined && probe.pivotRoot === undefined && probe.proc === undefined;
  return { grade: full ? "full" : "nested", reason: full ? undefined : reason };
}

const refusalsOf = (probe: ProbeResults) => (trials: readonly Trial[]) => {
  const refused = trials.filter((trial) => probe[trial] !== undefined);
  const list = refused.map((trial) => `${names[trial]}: ${probe[trial]}`);
  return list.length === 0 ? undefined : `refused here: ${list.join(", ")}`;
};

/** How the parts of a container are made here. */
export function isolationEntries(probe: ProbeResults): InfoEntry[] {
  const { grade, reason } = gradeOf(probe);
  return [
    { name: "grade", value: grade, reason },
    rootEntry(probe),
    entryWay(probe),
    available("proc", probe.proc, "left out"),
    available("sysfs", probe.sysfs, "the host's, read-only"),
    available("device nodes", probe.mknod, "the host's nodes are mounted"),
    available("user namespaces", probe.userNamespaces, "not to be had"),
  ];
}

function rootEntry({ mounts, overlay, tmpfs, overlayOnTmpfs }: ProbeResults): InfoEntry {
  const name = "root filesystem";
  if (overlay === undefined) return { name, value: "overlay" };
  const onDisk = `overlayfs: ${mounts ?? overlay}`;
  if (overlayOnTmpfs === undefined) {
    return { name, value: "overlay, what containers write is kept in memory", reason: onDisk };
  }
  return { name, value: "copy of the layers", reason: `${onDisk}, on a tmpfs: ${tmpfs ?? overlayOnTmpfs}` };
}

function entryWay({ pivotRoot, moveRoot }: ProbeResults): InfoEntry {
  const name = "root is entered by";
  if (pivotRoot === undefined) return { name, value: "pivot_root" };
  const reason = `pivot_root: ${pivotRoot}`;
  return { name, value: moveRoot === undefined ? "mount --move and chroot" : "chroot", reason };
}

function available(name: string, refused: string | undefined, otherwise: string): InfoEntry {
  return refused === undefined ? { name, value: "own" } : { name, value: otherwise, reason: refused };
}
