/**
 * The container's control group: cgroups(7). Version 2 has one directory, version 1 one for each controller that is
 * needed. The engine makes and removes it; the program writes itself into it before anything else.
 *
 *     v2  /sys/fs/cgroup/bunker-ID
 *     v1  /sys/fs/cgroup/{pids,devices,memory,cpu}/bunker-ID
 */
import { BunkerError } from "../../errors.ts";
import { EBUSY, ENOENT } from "../../linux/abi/errno.ts";
import { AT_FDCWD, AT_REMOVEDIR, O_CLOEXEC, O_WRONLY } from "../../linux/abi/fcntl.ts";
import { call, callRaw, cstr, SyscallError } from "../../linux/call.ts";
import { exists } from "../../linux/small_file.ts";
import type { Resources } from "../spec/config.ts";
import { type Setting, v1Settings, v2Settings } from "./settings.ts";

const ROOT = "/sys/fs/cgroup";
const PREFIX = "bunker-";

/** A limit that was asked for cannot be set. */
export class CgroupError extends BunkerError {
  readonly code = "CGROUP";
}

/** The control group of one container. */
export interface Cgroup {
  /**
   * Open files that a process joins the group by, closed on exec; the program inherits them. On version 1 it is `tasks`,
   * which moves one thread, and the program has no other: moving a whole process by `cgroup.procs` takes a lock that
   * waits 1 to 20 ms for RCU when it was not taken lately (measured; cgroup_threadgroup_rwsem).
   */
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

/** Nothing was made, so there is nothing to close or to remove. */
const nothing = (): undefined => undefined;
const none: Cgroup = { procs: [], mounts: [], guardsDevices: false, close: nothing, remove: nothing };

/**
 * Makes the control group. Where the machine has no writable one, a container without explicit limits goes without.
 * @throws {CgroupError} when a required limit cannot be set.
 */
export function createCgroup(request: CgroupRequest): Cgroup {
  const unified = exists(`${ROOT}/cgroup.controllers`);
  const made = new Directories();
  try {
    const guardsDevices = unified ? makeUnified(made, request) : makeByController(made, request);
    const file = unified ? "cgroup.procs" : "tasks";
    const procs = made.paths.map((path) =>
      call("openat", AT_FDCWD, cstr(`${path}/${file}`), O_WRONLY | O_CLOEXEC),
    );
    const mounts = unified ? ["cgroup2"] : made.paths.map((path) => path.split("/")[4] as string);
    return new OpenCgroup({ procs, mounts, guardsDevices, made });
  } catch (error) {
    made.remove();
    if (request.required.size === 0) return none;
    throw new CgroupError(
      `Cannot set the limits ${[...request.required].join(", ")}: the control group refuses`,
      {
        cause: error,
        hint: "Leave out the limit, or run bunker where it may write to /sys/fs/cgroup",
      },
    );
  }
}

/** Removes what a killed engine left of the group `id`, on whichever hierarchies it was. */
export function removeLeftCgroup(id: string): void {
  const hierarchies = ["", "/pids", "/devices", "/memory", "/cpu"];
  for (const hierarchy of hierarchies) {
    const path = `${ROOT}${hierarchy}/${PREFIX}${id}`;
    if (exists(path)) removeDirectory(path);
  }
}

/** Directories in the order of their making. */
class Directories {
  readonly paths: string[] = [];

  make(path: string): void {
    call("mkdirat", AT_FDCWD, cstr(path), 0o755);
    this.paths.push(path);
  }

  remove(): void {
    for (const path of this.paths.splice(0)) removeDirectory(path);
  }
}

/** A process that has just been reaped may hold its group for a moment longer: EBUSY. */
const REMOVE_ATTEMPTS = 50;
const REMOVE_PAUSE_MS = 2;

function removeDirectory(path: string): void {
  for (let attempt = 1; ; attempt++) {
    const result = callRaw("unlinkat", AT_FDCWD, cstr(path), AT_REMOVEDIR);
    if (result === 0 || result === -ENOENT) return;
    if (result !== -EBUSY || attempt === REMOVE_ATTEMPTS) {
      throw new SyscallError({ name: "rmdir", text: `rmdir("${path}")`, errno: -result });
    }
    Bun.sleepSync(REMOVE_PAUSE_MS);
  }
}

/** Each value by a write(2) of its own, as control files want them; a file is opened once for values in a row. */
function write(directory: string, settings: readonly Setting[]): void {
  let opened: { readonly file: string; readonly fd: number } | undefined;
  try {
    for (const [file, value] of settings) {
      if (opened?.file !== file) {
        if (opened !== undefined) call("close", opened.fd);
        opened = { file, fd: call("openat", AT_FDCWD, cstr(`${directory}/${file}`), O_WRONLY | O_CLOEXEC) };
      }
      call("write", opened.fd, cstr(value), value.length);
    }
  } finally {
    if (opened !== undefined) call("close", opened.fd);
  }
}

function makeUnified(made: Directories, { id, resources }: CgroupRequest): boolean {
  write(ROOT, [["cgroup.subtree_control", "+pids +memory +cpu"]]);
  const path = `${ROOT}/${PREFIX}${id}`;
  made.make(path);
  write(path, v2Settings(resources));
  // Its device rules are eBPF programs; until there is one, the root is mounted without devices.
  return false;
}

function makeByController(made: Directories, request: CgroupRequest): boolean {
  const settings = v1Settings(request.resources, request.deviceRules);
  for (const [controller, values] of settings) {
    const hierarchy = `${ROOT}/${controller}`;
    if (!exists(`${hierarchy}/cgroup.procs`)) throw new Error(`Cannot find "${hierarchy}": not mounted`);
    const path = `${hierarchy}/${PREFIX}${request.id}`;
    made.make(path);
    write(path, values);
  }
  return settings.has("devices");
}

interface CgroupParts {
  readonly procs: readonly number[];
  readonly mounts: readonly string[];
  readonly guardsDevices: boolean;
  readonly made: Directories;
}

class OpenCgroup implements Cgroup {
  readonly procs: readonly number[];
  readonly mounts: readonly string[];
  readonly guardsDevices: boolean;
  readonly #made: Directories;

  constructor({ procs, mounts, guardsDevices, made }: CgroupParts) {
    this.procs = procs;
    this.mounts = mounts;
    this.guardsDevices = guardsDevices;
    this.#made = made;
  }

  close(): void {
    for (const fd of this.procs) call("close", fd);
  }

  remove(): void {
    this.#made.remove();
  }
}
