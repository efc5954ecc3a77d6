/** A control group of version 1: a directory in each hierarchy. */
import { EACCES, EPERM, EROFS } from "../../linux/abi/errno.ts";
import { AT_FDCWD, O_CLOEXEC, O_WRONLY } from "../../linux/abi/fcntl.ts";
import { call, cstr } from "../../linux/call.ts";
import { readControlFile, writeControlFile, writeSettings } from "./control_file.ts";
import { GroupDirectories, mkdirError } from "./directories.ts";
import type { CgroupPlace } from "./place.ts";
import type { Setting } from "./settings.ts";

/** A group that was made; whoever made it closes `joinFds`. */
export interface MadeGroup {
  /** The place with what was really made: this is what to write down. */
  readonly place: CgroupPlace;
  /**
   * Open files that a process writes "0" into to join, closed on exec. On version 1 they are `tasks`, which moves one
   * thread, and the program has no other: moving a whole process by `cgroup.procs` takes a lock that waits 1 to 20 ms for
   * RCU when it was not taken lately (measured; cgroup_threadgroup_rwsem).
   */
  readonly joinFds: readonly number[];
}

/** What the maker does with a hierarchy that it may not write to. */
export interface MakeV1 {
  readonly settings: readonly Setting[];
  /** Goes without that hierarchy: for ordinary users, who have none unless an administrator has given it to them. */
  readonly lenient: boolean;
  /** Takes over what systemd has made [false]. */
  readonly adopts?: boolean;
}

/**
 * Makes the directories and writes the settings; on an error nothing is left.
 * @throws {CgroupError | SyscallError}
 */
export function makeV1(place: CgroupPlace, { settings, lenient, adopts }: MakeV1): MadeGroup {
  const made = new GroupDirectories(place, adopts);
  const joinFds: number[] = [];
  try {
    const refused = new Set<string>();
    for (const path of new Set(Object.values(place.directories))) {
      const errno = made.make(path);
      if (errno === 0) continue;
      if (!lenient || (errno !== EACCES && errno !== EPERM && errno !== EROFS)) throw mkdirError(path, errno);
      refused.add(path);
    }
    const directories = without(place.directories, refused);
    const { cpuset } = directories;
    if (cpuset !== undefined) fillCpuset(cpuset, { settings, isNew: made.isNew(cpuset) });
    writeSettings(settings, (controller) => directories[controller]);
    for (const path of new Set(Object.values(directories))) joinFds.push(openTasks(path));
    // The same object where all went as planned: then it need not be written down again.
    if (directories === place.directories && made.parents.length === 0) return { place, joinFds };
    const parents = made.parents.length === 0 ? {} : { parents: made.parents };
    return { place: { ...place, directories, ...parents }, joinFds };
  } catch (error) {
    for (const fd of joinFds) call("close", fd);
    made.undo();
    throw error;
  }
}

function without(
  directories: CgroupPlace["directories"],
  refused: ReadonlySet<string>,
): CgroupPlace["directories"] {
  if (refused.size === 0) return directories;
  return Object.fromEntries(Object.entries(directories).filter(([, path]) => !refused.has(path)));
}

const openTasks = (path: string): number =>
  call("openat", AT_FDCWD, cstr(`${path}/tasks`), O_WRONLY | O_CLOEXEC);

/** A new group has no processors and no memory nodes, and takes no process until it has: cpusets.rst, 1.3. */
function fillCpuset(directory: string, { settings, isNew }: Cpuset): void {
  for (const file of ["cpuset.cpus", "cpuset.mems"]) {
    // What is asked for has to be a part of what the parent has.
    const asked = settings.some((setting) => setting.file === file);
    const inherited = asked || isNew ? ensureValue(parentOf(directory), file) : undefined;
    if (asked) continue;
    if (inherited === undefined) ensureValue(directory, file);
    else writeControlFile(`${directory}/${file}`, inherited);
  }
}

interface Cpuset {
  readonly settings: readonly Setting[];
  /** Just made, so it has no values that are to be kept. */
  readonly isNew: boolean;
}

/** The value of a group, taken over from its parent where it has none; undefined above the topmost one. */
function ensureValue(directory: string, file: string): string | undefined {
  const path = `${directory}/${file}`;
  const value = readControlFile(path)?.trim();
  if (value !== "") return value;
  const inherited = ensureValue(parentOf(directory), file);
  if (inherited !== undefined) writeControlFile(path, inherited);
  return inherited;
}

const parentOf = (path: string): string => path.slice(0, path.lastIndexOf("/"));
