/** A control group of version 2: one directory, whose controllers are switched on by the groups above. */
import { EACCES, EPERM, EROFS } from "../../linux/abi/errno.ts";
import { AT_FDCWD, O_CLOEXEC, O_WRONLY } from "../../linux/abi/fcntl.ts";
import { call, callRaw, cstr } from "../../linux/call.ts";
import { readControlFile, tryWriteControlFile, writeSettings } from "./control_file.ts";
import { GroupDirectories, mkdirError } from "./directories.ts";
import { CGROUP_ROOT } from "./hierarchies.ts";
import type { MadeGroup } from "./make_v1.ts";
import { type CgroupPlace, NO_CGROUP } from "./place.ts";
import type { Setting } from "./settings.ts";

/** What the maker does. */
export interface MakeV2 {
  readonly settings: readonly Setting[];
  /** Goes without a group where it may make none and nothing was asked of it: for ordinary users. */
  readonly lenient: boolean;
  /** Takes over what systemd has made [false]. */
  readonly adopts?: boolean;
  /** Does more to the new group, e.g. attaches its device rules, before a process can be in it. */
  readonly finish?: (directory: string) => void;
}

/**
 * Makes the directory and writes the settings; on an error nothing is left.
 * @throws {CgroupError | SyscallError}
 */
export function makeV2(place: CgroupPlace, { settings, lenient, finish, adopts }: MakeV2): MadeGroup {
  const directory = place.directories[""] as string;
  const made = new GroupDirectories(place, adopts);
  try {
    const errno = made.make(directory) || (lenient ? mayMoveInto(directory) : 0);
    if (errno !== 0) {
      const denied = errno === EACCES || errno === EPERM || errno === EROFS;
      if (!lenient || settings.length > 0 || !denied) throw mkdirError(directory, errno);
      made.undo();
      return { place: NO_CGROUP, joinFds: [] };
    }
    enableControllers(directory);
    writeSettings(settings, () => directory);
    finish?.(directory);
    const file = cstr(`${directory}/cgroup.procs`);
    const joinFds = [call("openat", AT_FDCWD, file, O_WRONLY | O_CLOEXEC)];
    return {
      place: made.parents.length === 0 ? place : { ...place, parents: made.parents },
      joinFds,
    };
  } catch (error) {
    made.undo();
    throw error;
  }
}

const W_OK = 2;

/** Whoever moves a process needs the right to write to the processes of the group above both. @returns an error number */
function mayMoveInto(directory: string): number {
  const above = directory.slice(0, directory.lastIndexOf("/"));
  return -callRaw("faccessat", AT_FDCWD, cstr(`${above}/cgroup.procs`), W_OK);
}

const words = (text: string | undefined): string[] => (text ?? "").split(/\s+/).filter(Boolean);

/**
 * Gives the group every controller that the machine has, also those that only count. What a group above does not let
 * through is missed only when a setting needs it. Writing takes the lock of all groups, so it is done only if needed.
 */
function enableControllers(directory: string, root = CGROUP_ROOT): void {
  const have = new Set(words(readControlFile(`${directory}/cgroup.controllers`)));
  const all = words(readControlFile(`${root}/cgroup.controllers`));
  const missing = all.filter((name) => !have.has(name));
  if (missing.length === 0 || !directory.startsWith(`${root}/`)) return;
  for (let end = root.length; end > 0; end = directory.indexOf("/", end + 1)) {
    const file = `${directory.slice(0, end)}/cgroup.subtree_control`;
    if (tryWriteControlFile(file, missing.map((name) => `+${name}`).join(" ")) >= 0) continue;
    // One that is refused, such as cpu beside real-time processes, takes the others with it.
    for (const name of missing) tryWriteControlFile(file, `+${name}`);
  }
}
