/** The processes of a control group and of those below it: listed, frozen, ended. */
import { ESRCH } from "../../linux/abi/errno.ts";
import { AT_FDCWD, O_DIRECTORY, O_RDONLY } from "../../linux/abi/fcntl.ts";
import { DT_DIR } from "../../linux/abi/file.ts";
import { SIGKILL } from "../../linux/abi/sched.ts";
import { call, callRaw, SyscallError } from "../../linux/call.ts";
import { readDirectory, tryOpenat } from "../../linux/file.ts";
import { CgroupError } from "./cgroup_error.ts";
import { readControlFile, tryWriteControlFile } from "./control_file.ts";
import { freezeCgroup, thawCgroup } from "./freezer.ts";
import { isFrozen } from "./frozen.ts";
import type { CgroupPlace } from "./place.ts";

/** Deepest nesting of groups that is followed; a payload with a hierarchy of its own decides it. */
export const GROUP_DEPTH_MAX = 64;

/** Names of the groups right below one. Empty when it is gone. */
export function childGroups(path: string): string[] {
  const fd = tryOpenat(AT_FDCWD, path, { flags: O_RDONLY | O_DIRECTORY });
  if (fd < 0) return [];
  try {
    const entries = readDirectory(fd);
    return entries
      .filter(({ type }) => type === DT_DIR)
      .map(({ name }) => Buffer.from(name, "latin1").toString());
  } finally {
    call("close", fd);
  }
}

/** The hierarchy that tells who is in the group: all have the same processes; one that also freezes comes first. */
function mainDirectory({ directories }: CgroupPlace): string | undefined {
  return directories[""] ?? directories["freezer"] ?? directories["devices"] ?? Object.values(directories)[0];
}

/** Process ids in this pid namespace, of the group and all groups below, each once. Empty when there is no group. */
export function processesIn(place: CgroupPlace): number[] {
  const directory = mainDirectory(place);
  return directory === undefined ? [] : [...new Set(processesBelow(directory))];
}

/** The same for one directory. */
export function processesBelow(directory: string, depth = 0): number[] {
  const own = (readControlFile(`${directory}/cgroup.procs`) ?? "").split("\n").filter(Boolean).map(Number);
  if (depth === GROUP_DEPTH_MAX) return own;
  return [
    ...own,
    ...childGroups(directory).flatMap((name) => processesBelow(`${directory}/${name}`, depth + 1)),
  ];
}

/**
 * Sends a signal to every process of the group and of those below. SIGKILL reaches all, whatever they start meanwhile:
 * by cgroup.kill (version 2, Linux 5.14), else while the group is frozen.
 * @throws {SyscallError} EPERM for a process of a user that may not be signalled
 */
export function killCgroup(place: CgroupPlace, signal: number): void {
  if (place.version === 0 || processesIn(place).length === 0) return;
  const unified = place.version === 2 ? mainDirectory(place) : undefined;
  if (signal === SIGKILL && unified !== undefined && tryWriteControlFile(`${unified}/cgroup.kill`, "1") >= 0)
    return;
  const frozen = isFrozen(place);
  const held = frozen || holds(place);
  try {
    const rounds = held || signal !== SIGKILL ? 1 : KILL_ROUNDS;
    for (let round = 0; round < rounds && signalAll(place, signal) > 0; round++);
  } finally {
    // Version 1 keeps frozen what was killed.
    if (held && (!frozen || signal === SIGKILL)) thawCgroup(place);
    if (signal === SIGKILL) thawKilled(place);
  }
}

/** Version 1 keeps frozen what was killed: lets the group go on, and each below that the payload has frozen. */
export function thawKilled(place: CgroupPlace): void {
  const { freezer } = place.directories;
  if (place.version !== 1 || freezer === undefined) return;
  if (isFrozen(place)) thawCgroup(place);
  thawBelow(freezer, 0);
}

function thawBelow(directory: string, depth: number): void {
  if (depth === GROUP_DEPTH_MAX) return;
  for (const name of childGroups(directory)) {
    const child = `${directory}/${name}`;
    tryWriteControlFile(`${child}/freezer.state`, "THAWED");
    thawBelow(child, depth + 1);
  }
}

/** How long a process that hangs in the kernel may keep a group from being signalled. */
const HOLD_MS_MAX = 1000;

/** Freezes the group; otherwise a process that forks fast enough may escape the first rounds. */
function holds(place: CgroupPlace): boolean {
  try {
    return freezeCgroup(place, HOLD_MS_MAX);
  } catch (error) {
    // One that hangs does not fork; the others get their signal all the same.
    if (!(error instanceof CgroupError)) throw error;
    return false;
  }
}

/** Rounds of signals to a group that cannot be frozen. */
const KILL_ROUNDS = 20;

function signalAll(place: CgroupPlace, signal: number): number {
  const pids = processesIn(place);
  for (const pid of pids) {
    // 0 is a process of another pid namespace, which kill(2) would take for this process's own group.
    if (pid <= 0) continue;
    const result = callRaw("kill", pid, signal);
    if (result < 0 && result !== -ESRCH) {
      throw new SyscallError({ name: "kill", text: `kill(${pid}, ${signal})`, errno: -result });
    }
  }
  return pids.length;
}
