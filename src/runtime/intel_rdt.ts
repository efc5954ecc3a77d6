/**
 * `linux.intelRdt`: shares of processor caches and of memory bandwidth, by directories of resctrl: a class of service is a
 * directory with the files `schemata` and `tasks`; one below its `mon_groups` counts what its tasks use
 * (config-linux.md#intelrdt, the kernel's Documentation/filesystems/resctrl.rst).
 */
import { BunkerError } from "../errors.ts";
import { EEXIST } from "../linux/abi/errno.ts";
import { AT_FDCWD, AT_REMOVEDIR } from "../linux/abi/fcntl.ts";
import { callRaw, cstr, SyscallError } from "../linux/call.ts";
import { exists, readSmallText, writeSmallFile } from "../linux/small_file.ts";
import type { IntelRdt } from "../oci/bundle/config.ts";

/** What was asked of resctrl cannot be had. */
export class RdtError extends BunkerError {
  readonly code = "INTEL_RDT";
}

/** Where a container is in resctrl; part of state.json. */
export interface RdtPlace {
  /** Directory of its class. */
  readonly group: string;
  /** The class was made for the container, and goes with it. */
  readonly made: boolean;
  /** Directory that counts what the container uses. */
  readonly monitor?: string;
}

/** What is to be done for a container. */
export interface RdtPlan {
  /** Name of the directory of its class. */
  readonly group: string;
  /** What has to be there already: a class, and these lines in it. */
  readonly expected: { readonly lines: readonly string[] } | undefined;
  /** Lines for `schemata`, in their order. */
  readonly lines: readonly string[];
  readonly monitors: boolean;
}

/** Decides what is done, given whether the class that `closID` names exists (config-linux.md#intelrdt). */
export function planRdt(rdt: IntelRdt, id: string, exists: boolean): RdtPlan {
  const shares = schemaLines(rdt);
  const more = rdt.schemata ?? [];
  const { closID = "" } = rdt;
  const monitors = rdt.enableMonitoring === true || rdt.enableCMT === true || rdt.enableMBM === true;
  if (closID === "") return { group: id, expected: undefined, lines: [...shares, ...more], monitors };
  // A class of others is not changed by these two fields; without any schema there must be one.
  const shared = exists || (shares.length === 0 && more.length === 0);
  return {
    group: closID,
    expected: shared ? { lines: shares } : undefined,
    lines: shared ? more : [...shares, ...more],
    monitors,
  };
}

/** Lines of both older fields: the bandwidth's own field counts where both name it. */
function schemaLines({ l3CacheSchema = "", memBwSchema = "" }: IntelRdt): readonly string[] {
  const lines = l3CacheSchema.split("\n").map((line) => line.trim());
  const cache = lines.filter((line) => line !== "" && !(memBwSchema !== "" && line.startsWith("MB:")));
  return memBwSchema === "" ? cache : [...cache, memBwSchema.trim()];
}

/** Whether a class has all the shares of `lines`; the kernel writes numbers and spaces in its own way. */
export function hasShares(schemata: string, lines: readonly string[]): boolean {
  const present = sharesOf(schemata.split("\n"));
  return [...sharesOf(lines)].every(([key, value]) => present.get(key) === value);
}

/** `L3:0=00ff;1=f` as `L3:0` → `ff`, `L3:1` → `f`. */
function sharesOf(lines: readonly string[]): ReadonlyMap<string, string> {
  const shares = new Map<string, string>();
  for (const line of lines) {
    const [resource = "", list = ""] = line.split(":");
    for (const share of list.split(";").filter((text) => text.trim() !== "")) {
      const [domain = "", value = ""] = share.split("=").map((text) => text.trim());
      shares.set(`${resource.trim()}:${domain}`, value.toLowerCase().replace(/^0+(?=.)/, ""));
    }
  }
  return shares;
}

/** Finds where resctrl is mounted in the text of mountinfo. */
export function findResctrl(mountinfo: string): string | undefined {
  const line = mountinfo.split("\n").find((text) => / - resctrl /.test(text));
  return line?.split(" ")[4];
}

/**
 * Makes what the plan of a container needs, with nothing left when that fails.
 * @throws {RdtError} where resctrl is not mounted, or has not what is expected.
 */
export function makeRdt(rdt: IntelRdt, id: string): RdtPlace {
  const mount = findResctrl(readSmallText("/proc/self/mountinfo") ?? "");
  if (mount === undefined) {
    throw new RdtError("Cannot honour linux.intelRdt: no resctrl file system is mounted", {
      hint: "Mount it: mount -t resctrl resctrl /sys/fs/resctrl; the processor has to support it",
    });
  }
  const { closID = "" } = rdt;
  const plan = planRdt(rdt, id, closID !== "" && exists(`${mount}/${closID}`));
  const group = `${mount}/${plan.group}`;
  if (plan.expected !== undefined) checkExpected(group, plan.expected.lines);
  const made = plan.expected === undefined && makeDirectory(group);
  const place = { group, made };
  try {
    writeLines(group, plan.lines);
    if (!plan.monitors) return place;
    const monitor = `${group}/mon_groups/${id}`;
    makeDirectory(monitor);
    return { ...place, monitor };
  } catch (error) {
    removeRdt(place);
    throw error;
  }
}

function checkExpected(group: string, lines: readonly string[]): void {
  const schemata = readSmallText(`${group}/schemata`);
  if (schemata === undefined) {
    throw new RdtError(`Cannot honour linux.intelRdt.closID: there is no class "${group}"`, {
      hint: "Make the directory, or give the container a schema",
    });
  }
  if (!hasShares(schemata, lines)) {
    throw new RdtError(`Cannot honour linux.intelRdt: the class "${group}" exists with other shares`);
  }
}

/** @returns false when it was there */
function makeDirectory(path: string): boolean {
  const made = callRaw("mkdirat", AT_FDCWD, cstr(path), 0o755);
  if (made === 0) return true;
  if (made === -EEXIST) return false;
  const cause = new SyscallError({ name: "mkdir", text: `mkdir("${path}")`, errno: -made });
  throw new RdtError(`Cannot make the resctrl directory "${path}"`, { cause });
}

function writeLines(group: string, lines: readonly string[]): void {
  if (lines.length === 0) return;
  try {
    writeSmallFile(`${group}/schemata`, `${lines.join("\n")}\n`);
  } catch (cause) {
    const status = readSmallText(`${group}/../info/last_cmd_status`)?.trim() ?? "";
    throw new RdtError(`Cannot set "${lines.join(", ")}" in "${group}": ${status}`, { cause });
  }
}

/** Puts a process into the class and the monitoring group of its container. */
export function joinRdt({ group, monitor }: RdtPlace, pid: number): void {
  for (const directory of [group, ...(monitor === undefined ? [] : [monitor])]) {
    writeSmallFile(`${directory}/tasks`, String(pid));
  }
}

/** Other shares for a container's class. @throws {RdtError} for what the kernel refuses. */
export function updateRdt({ group }: RdtPlace, rdt: Pick<IntelRdt, "l3CacheSchema" | "memBwSchema">): void {
  writeLines(group, schemaLines(rdt));
}

/** Removes what was made for a container; resctrl moves tasks that are left back to where they came from. */
export function removeRdt({ group, made, monitor }: RdtPlace): void {
  if (monitor !== undefined) callRaw("unlinkat", AT_FDCWD, cstr(monitor), AT_REMOVEDIR);
  if (made) callRaw("unlinkat", AT_FDCWD, cstr(group), AT_REMOVEDIR);
}
