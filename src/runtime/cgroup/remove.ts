/** Removing a control group with what the payload made below it. */
import { EBUSY, ENOENT } from "../../linux/abi/errno.ts";
import { AT_FDCWD, AT_REMOVEDIR } from "../../linux/abi/fcntl.ts";
import { callRaw, cstr, SyscallError } from "../../linux/call.ts";
import { exists } from "../../linux/small_file.ts";
import { CgroupError } from "./cgroup_error.ts";
import type { CgroupPlace, SystemdUnit } from "./place.ts";
import { childGroups, GROUP_DEPTH_MAX } from "./processes.ts";

/** A process that was just killed or reaped may hold its group for a moment longer: EBUSY. */
const REMOVE_MS_MAX = 2000;
const FIRST_PAUSE_MS = 0.2;
const LAST_PAUSE_MS = 20;

/**
 * Removes the group, and with systemd the unit that it belongs to; one that is not there is none to remove. Its processes
 * must have ended, or end within two seconds.
 * @throws {SyscallError} EBUSY
 */
export async function removeCgroup(place: CgroupPlace): Promise<void> {
  if (place.unit !== undefined) await stopUnit(place.unit);
  removeDirectories(place);
}

async function stopUnit(unit: SystemdUnit): Promise<void> {
  const { stopUnit: stop } = await import("./systemd/unit.ts");
  try {
    stop(unit);
  } catch (error) {
    // A scope ends with its last process; what counts is that the directories can be removed.
    if (!(error instanceof CgroupError)) throw error;
  }
}

/**
 * Removes the directories of the group; one that is not there is none to remove. All are tried before an error is thrown.
 * @throws {SyscallError} EBUSY when a process stays in it for two seconds
 */
export function removeDirectories(place: CgroupPlace): void {
  const end = performance.now() + REMOVE_MS_MAX;
  const failures: SyscallError[] = [];
  for (const directory of new Set(Object.values(place.directories))) {
    const errno = removeGroup(directory, end);
    if (errno !== 0) failures.push(new SyscallError({ name: "rmdir", text: `rmdir("${directory}")`, errno }));
  }
  // A parent may have got other groups meanwhile: then it stays.
  for (const directory of place.parents ?? []) rmdir(directory);
  if (failures[0] !== undefined) throw failures[0];
}

const rmdir = (path: string): number => callRaw("unlinkat", AT_FDCWD, cstr(path), AT_REMOVEDIR);

/** @returns 0, or the error number of the last attempt */
function removeGroup(path: string, end: number): number {
  let pauseMs = FIRST_PAUSE_MS;
  for (let attempt = 0; ; attempt++) {
    const result = rmdir(path);
    if (result === 0 || result === -ENOENT) return 0;
    // A read-only mount says EROFS of what does not exist, too.
    if (result !== -EBUSY && !exists(path)) return 0;
    if (result !== -EBUSY || performance.now() > end) return -result;
    // EBUSY is said of processes and of groups below alike.
    if (!removeChildren(path, 0) && attempt > 0) {
      Bun.sleepSync(pauseMs);
      pauseMs = Math.min(2 * pauseMs, LAST_PAUSE_MS);
    }
  }
}

/** The deepest first. @returns whether one was removed */
function removeChildren(path: string, depth: number): boolean {
  if (depth === GROUP_DEPTH_MAX) return false;
  let removed = false;
  for (const name of childGroups(path)) {
    const child = `${path}/${name}`;
    if (rmdir(child) === 0 || (removeChildren(child, depth + 1) && rmdir(child) === 0)) removed = true;
  }
  return removed;
}
