/** Joining a control group that exists: what `exec` gives to its program. */
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_PATH, O_WRONLY } from "../../linux/abi/fcntl.ts";
import { call, callRaw, cstr, SyscallError } from "../../linux/call.ts";
import { readSmallText } from "../../linux/small_file.ts";
import { CgroupError } from "./cgroup_error.ts";
import { readControlFile } from "./control_file.ts";
import { CGROUP_ROOT } from "./hierarchies.ts";
import type { CgroupPlace } from "./place.ts";

/**
 * Opens the files that a process writes "0" into to join the container's group.
 * @param below groups inside the container's: `PATH` for all hierarchies, or on version 1 `CONTROLLER[,…]:PATH`
 * @returns descriptors, closed on exec, that the caller closes
 * @throws {CgroupError} for a group that is none of the container's
 */
export function openJoinFiles(place: CgroupPlace, below: readonly string[] = []): number[] {
  const paths = new Set(Object.values(groupsToJoin(place, below)));
  const fds: number[] = [];
  try {
    for (const path of paths) fds.push(open(`${path}/${place.version === 2 ? "cgroup.procs" : "tasks"}`));
    return fds;
  } catch (error) {
    for (const fd of fds) call("close", fd);
    throw error;
  }
}

/** A group of version 2 for a process to start in: its directory, and the file to join by where that cannot be. */
export interface OpenGroup extends Disposable {
  readonly directory: number;
  readonly join: number;
}

/** Where a process is to go that joins a container of version 2. */
export interface JoinRequest {
  /** As for {@link openJoinFiles}. */
  readonly below: readonly string[];
  /** The container's first process. */
  readonly pid: number;
}

/** The same for a process that is yet to be made; undefined on version 1. @throws {CgroupError} */
export function openGroup(place: CgroupPlace, { below, pid }: JoinRequest): OpenGroup | undefined {
  if (place.version !== 2) return undefined;
  const named = groupsToJoin(place, below)[""] as string;
  const path = below.length === 0 && hasControllersBelow(named) ? groupOfProcess(named, pid) : named;
  const directory = open(path, O_PATH | O_DIRECTORY);
  try {
    const join = open(`${path}/cgroup.procs`);
    const close = () => {
      for (const fd of [directory, join]) call("close", fd);
    };
    return { directory, join, [Symbol.dispose]: close };
  } catch (error) {
    call("close", directory);
    throw error;
  }
}

/** Such a group may hold groups, but no process: cgroup-v2.rst, "No Internal Process Constraint". */
const hasControllersBelow = (group: string): boolean =>
  /\S/.test(readControlFile(`${group}/cgroup.subtree_control`) ?? "");

/** The group below `group` that process `pid` has gone to; `group` itself when it is not below. */
function groupOfProcess(group: string, pid: number): string {
  const own = /^0::(.*)$/m.exec(readSmallText(`/proc/${pid}/cgroup`) ?? "")?.[1];
  const found = `${CGROUP_ROOT}${own ?? ""}`;
  return found.startsWith(`${group}/`) && !found.split("/").includes("..") ? found : group;
}

function open(path: string, flags = O_WRONLY): number {
  const fd = callRaw("openat", AT_FDCWD, cstr(path), flags | O_CLOEXEC);
  if (fd >= 0) return fd;
  const cause = new SyscallError({ name: "openat", text: `open(${JSON.stringify(path)})`, errno: -fd });
  throw new CgroupError("Cannot join the control group of the container: it cannot be opened", { cause });
}

function groupsToJoin(place: CgroupPlace, below: readonly string[]): Record<string, string> {
  const groups: Record<string, string> = { ...place.directories };
  for (const text of below) {
    const colon = text.indexOf(":");
    const controllers = colon < 0 ? Object.keys(groups) : text.slice(0, colon).split(",");
    const path = text.slice(colon + 1);
    for (const name of controllers) groups[name] = groupBelow(place, name, path);
  }
  return groups;
}

/** Only downwards: a path that leaves the container's group would take the process out of its limits. */
function groupBelow({ directories, version }: CgroupPlace, controller: string, path: string): string {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) {
    throw new CgroupError(
      `Cannot join the control group ${JSON.stringify(path)}: it leads out of the container's`,
    );
  }
  const directory = directories[version === 2 ? "" : controller];
  if (directory === undefined) {
    throw new CgroupError(
      `Cannot join the control group ${JSON.stringify(path)}: there is no "${controller}" hierarchy`,
    );
  }
  return [directory, ...parts].join("/");
}
