/**
 * Freezing: the freezer controller of version 1 (cgroup-v1/freezer-subsystem.rst), cgroup.freeze of version 2 (Linux 5.2).
 * Both are asked, and then looked at until the kernel says that it has happened.
 */

import { CgroupError } from "./cgroup_error.ts";
import { readControlFile, tryWriteControlFile, writeControlFile } from "./control_file.ts";
import { freezerFile } from "./frozen.ts";
import type { CgroupPlace } from "./place.ts";

/** A group freezes within microseconds, unless a process hangs in the kernel: on a dead network file system, say. */
const FREEZE_MS_MAX = 10_000;
const FIRST_PAUSE_MS = 0.1;
const LAST_PAUSE_MS = 10;
/** Version 1 may stay in FREEZING for a process that was just moved or is traced: writing again helps (runc's finding). */
const LOOKS_BEFORE_RETRY = 10;

interface Freezer {
  readonly file: string;
  readonly frozen: string;
  readonly thawed: string;
  /** Whether all processes have stopped. */
  readonly isDone: () => boolean;
}

function freezerOf(place: CgroupPlace): Freezer | undefined {
  const file = freezerFile(place);
  if (file === undefined) return undefined;
  if (place.version === 2) {
    const events = `${place.directories[""]}/cgroup.events`;
    const isDone = () => /^frozen 1$/m.test(readControlFile(events) ?? "");
    return { file, frozen: "1", thawed: "0", isDone };
  }
  return { file, frozen: "FROZEN", thawed: "THAWED", isDone: () => readControlFile(file) === "FROZEN\n" };
}

/**
 * Stops every process of the group, and waits until they have stopped.
 * @returns false where groups cannot be frozen or this one is gone
 * @throws {CgroupError} when a process does not stop; the group is thawed again.
 */
export function freezeCgroup(place: CgroupPlace, timeoutMs = FREEZE_MS_MAX): boolean {
  const freezer = freezerOf(place);
  if (freezer === undefined || tryWriteControlFile(freezer.file, freezer.frozen) < 0) return false;
  const end = performance.now() + timeoutMs;
  let pauseMs = FIRST_PAUSE_MS;
  for (let look = 1; !freezer.isDone(); look++) {
    if (performance.now() > end) {
      tryWriteControlFile(freezer.file, freezer.thawed);
      throw new CgroupError(`Cannot freeze the control group: a process has not stopped in ${timeoutMs} ms`);
    }
    if (look % LOOKS_BEFORE_RETRY === 0) tryWriteControlFile(freezer.file, freezer.frozen);
    Bun.sleepSync(pauseMs);
    pauseMs = Math.min(2 * pauseMs, LAST_PAUSE_MS);
  }
  return true;
}

/** Lets the processes of the group go on. @throws {SyscallError} when the group is gone */
export function thawCgroup(place: CgroupPlace): void {
  const freezer = freezerOf(place);
  if (freezer === undefined) throw new CgroupError("Cannot thaw the control group: it has no freezer");
  writeControlFile(freezer.file, freezer.thawed);
}
