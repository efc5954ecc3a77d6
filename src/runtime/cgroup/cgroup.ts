/**
 * The control group of `bunker run`: only the hierarchies in which something is limited, and none at all where the machine
 * gives none and the user asked for no limit.
 *
 *     v2  /sys/fs/cgroup/bunker-ID
 *     v1  /sys/fs/cgroup/{pids,devices,memory,cpu}/bunker-ID
 */
import { SIGKILL } from "../../linux/abi/sched.ts";
import { call } from "../../linux/call.ts";
import { exists } from "../../linux/small_file.ts";
import type { Resources } from "../spec/config.ts";
import { CgroupError } from "./cgroup_error.ts";
import { CGROUP_ROOT } from "./hierarchies.ts";
import { type MadeGroup, makeV1 } from "./make_v1.ts";
import { makeV2 } from "./make_v2.ts";
import { type CgroupPlace, NO_CGROUP } from "./place.ts";
import { killCgroup } from "./processes.ts";
import { removeDirectories } from "./remove.ts";
import { CPU_PERIOD_US, type Setting } from "./settings.ts";

const PREFIX = "bunker-";

/** The control group of one container. */
export interface Cgroup {
  /** Open files that a process joins the group by ({@link MadeGroup}); the program inherits them. */
  readonly procs: readonly number[];
  /** What is mounted below /sys/fs/cgroup in the container. */
  readonly mounts: readonly string[];
  /** True when a device controller guards the device nodes. */
  readonly guardsDevices: boolean;
  /** Closes the descriptors, which only the program needs. */
  close(): void;
  /** Removes the directories; all processes must have ended. */
  remove(): void;
}

/** What is asked of a control group. */
export interface CgroupRequest {
  /** Unique among running containers: the name of its directory. */
  readonly id: string;
  readonly resources: Resources;
  /** Members of `resources` that the user gave: these must be honoured. */
  readonly required: ReadonlySet<keyof Resources>;
  /** `c 1:3 rwm` … for the version 1 device controller. */
  readonly deviceRules: readonly string[];
}

/**
 * Makes the control group. Where the machine has no writable one, a container without explicit limits goes without.
 * @throws {CgroupError} when a required limit cannot be set.
 */
export function createCgroup(request: CgroupRequest): Cgroup {
  const version = exists(`${CGROUP_ROOT}/cgroup.controllers`) ? 2 : 1;
  try {
    return openCgroup(version === 2 ? makeUnified(request) : makeByController(request), request.id);
  } catch (error) {
    if (request.required.size === 0) return openCgroup({ place: NO_CGROUP, joinFds: [] }, request.id);
    throw new CgroupError(
      `Cannot set the limits ${[...request.required].join(", ")}: the control group refuses`,
      {
        cause: error,
        hint: "Leave out the limit, or run bunker where it may write to /sys/fs/cgroup",
      },
    );
  }
}

/**
 * Ends what a killed engine left of the container with the group `id`, and removes that, on whichever hierarchies it was:
 * a command may have asked the kernel not to end with its parent (PR_SET_PDEATHSIG).
 */
export function removeLeftCgroup(id: string): void {
  const left = groupOf(1, id, ["", "pids", "devices", "memory", "cpu", "freezer"]);
  const found = Object.entries(left.directories).filter(([, path]) => exists(path));
  const version = exists(`${CGROUP_ROOT}/cgroup.controllers`) ? 2 : 1;
  killCgroup({ ...left, version, directories: Object.fromEntries(found) }, SIGKILL);
  removeDirectories(left);
}

/** Where the group of a container is; `""` is the hierarchy of version 2. */
export function groupOf(version: 1 | 2, id: string, controllers: Iterable<string>): CgroupPlace {
  const directories: Record<string, string> = {};
  for (const name of controllers) {
    directories[name] = `${CGROUP_ROOT}${name === "" ? "" : `/${name}`}/${PREFIX}${id}`;
  }
  return { version, manager: "cgroupfs", directories };
}

function makeUnified({ id, resources }: CgroupRequest): MadeGroup {
  // Its device rules are eBPF programs; without one the root is mounted without devices.
  return makeV2(groupOf(2, id, [""]), { settings: limitsV2(resources), lenient: false });
}

function makeByController({ id, resources, deviceRules }: CgroupRequest): MadeGroup {
  const settings = [...limitsV1(resources), ...deviceLines(deviceRules)];
  const controllers = new Set(settings.map(({ controller }) => controller));
  for (const name of controllers) {
    // On a directory that is no hierarchy the group's directory could be made all the same.
    const mount = `${CGROUP_ROOT}/${name}`;
    if (!exists(`${mount}/cgroup.procs`)) throw new CgroupError(`Cannot find "${mount}": not mounted`);
  }
  return makeV1(groupOf(1, id, controllers), { settings, lenient: false });
}

const setting = (file: string, value: string, field: string): Setting => ({
  controller: file.slice(0, file.indexOf(".")),
  file,
  value,
  field,
});

/** Memory and swap together may not exceed the memory: less swap than docker's twice the memory. */
function limitsV2({ memory, cpuQuota, pids }: Resources): Setting[] {
  const settings: Setting[] = [];
  if (pids !== undefined) settings.push(setting("pids.max", String(pids), "pids.limit"));
  if (memory !== undefined) {
    settings.push(setting("memory.max", String(memory), "memory.limit"));
    settings.push(setting("memory.swap.max", "0", "memory.swap"));
  }
  if (cpuQuota !== undefined) settings.push(setting("cpu.max", `${cpuQuota} ${CPU_PERIOD_US}`, "cpu.quota"));
  return settings;
}

function limitsV1({ memory, cpuQuota, pids }: Resources): Setting[] {
  const settings: Setting[] = [];
  if (pids !== undefined) settings.push(setting("pids.max", String(pids), "pids.limit"));
  if (memory !== undefined) settings.push(setting("memory.limit_in_bytes", String(memory), "memory.limit"));
  if (cpuQuota !== undefined) {
    settings.push(setting("cpu.cfs_period_us", String(CPU_PERIOD_US), "cpu.period"));
    settings.push(setting("cpu.cfs_quota_us", String(cpuQuota), "cpu.quota"));
  }
  return settings;
}

function deviceLines(rules: readonly string[]): Setting[] {
  if (rules.length === 0) return [];
  return [
    setting("devices.deny", "a", "devices"),
    ...rules.map((rule) => setting("devices.allow", rule, "devices")),
  ];
}

function openCgroup({ place, joinFds }: MadeGroup, id: string): Cgroup {
  // Whoever has paused the container (pause_group.ts) has made it.
  const frozen = place.version === 1 ? groupOf(1, id, ["freezer"]).directories : {};
  return {
    procs: joinFds,
    mounts: place.version === 2 ? ["cgroup2"] : Object.keys(place.directories),
    guardsDevices: place.directories["devices"] !== undefined,
    close: () => {
      for (const fd of joinFds) call("close", fd);
    },
    remove: () => removeDirectories({ ...place, directories: { ...place.directories, ...frozen } }),
  };
}
