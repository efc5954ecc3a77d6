/**
 * Stops the processes of a container of `bunker run` for as long as somebody reads its files. A second process, a program
 * of a few system calls, lets them go on when the reader is done, or is gone, however it ended: a container that
 * nobody could wake is worse than one that was read while it ran.
 *
 *     reader (Bun)                              guard
 *     starts it ──────────────────────────────▶ read(pipe)
 *     freezes the group, reads                     …
 *     closes its end, or is killed ───────────▶ returns 0; writes "THAWED", ends
 */
import { EEXIST, ENODEV, ESRCH } from "../../linux/abi/errno.ts";
import { AT_FDCWD, AT_REMOVEDIR, O_CLOEXEC, O_RDWR } from "../../linux/abi/fcntl.ts";
import { LOCK_EX } from "../../linux/abi/file.ts";
import { call, callRaw, cstr, SyscallError } from "../../linux/call.ts";
import { Fd } from "../../linux/file.ts";
import { pipe2 } from "../../linux/pipe.ts";
import { exists } from "../../linux/small_file.ts";
import {
  executableOf,
  finishProgram,
  inheritedFd,
  programWithReport,
  type SpawnedProgram,
  spawnProgram,
} from "../../linux/spawn.ts";
import { waitForExit } from "../../linux/wait.ts";
import { groupOf } from "./cgroup.ts";
import { CgroupError } from "./cgroup_error.ts";
import { tryWriteControlFile } from "./control_file.ts";
import { freezeCgroup } from "./freezer.ts";
import { freezerFile } from "./frozen.ts";
import { CGROUP_ROOT } from "./hierarchies.ts";
import type { CgroupPlace } from "./place.ts";
import { processesIn } from "./processes.ts";

/** Rounds in which processes that were started meanwhile are moved, too; one or two are enough for any but a fork bomb. */
const ROUNDS_MAX = 100;

/**
 * Stops the processes until the result is disposed of. Whoever comes second waits for the first.
 * @param id of the container's group
 * @param programFile path for the guard where memfds may not be executed
 * @returns undefined where groups cannot be frozen, or the container has none
 * @throws {CgroupError} when a process does not stop
 */
export function pauseGroup(id: string, programFile: string): Disposable | undefined {
  const place = freezableGroup(id);
  const file = place === undefined ? undefined : freezerFile(place);
  if (place === undefined || file === undefined || !exists(file)) return undefined;
  using stack = new DisposableStack();
  const control = stack.use(new Fd(call("openat", AT_FDCWD, cstr(file), O_RDWR | O_CLOEXEC)));
  call("flock", control.number, LOCK_EX);
  stack.use(startGuard(control.number, { thawed: place.version === 2 ? "0" : "THAWED", programFile }));
  if (!freezeCgroup(place)) return undefined;
  const owned = stack.move();
  return { [Symbol.dispose]: () => owned[Symbol.dispose]() };
}

/** The group with all processes of the container in it; on version 1 it is made now, and goes with the container. */
function freezableGroup(id: string): CgroupPlace | undefined {
  if (exists(`${CGROUP_ROOT}/cgroup.controllers`)) return groupOf(2, id, [""]);
  const main = groupOf(1, id, ["pids", "devices", "memory", "cpu"]);
  const freezer = groupOf(1, id, ["freezer"]);
  const directory = freezer.directories["freezer"];
  if (directory === undefined || !exists(`${CGROUP_ROOT}/freezer/cgroup.procs`)) return undefined;
  const known = Object.values(main.directories).find(exists);
  if (known === undefined) return undefined;
  const made = callRaw("mkdirat", AT_FDCWD, cstr(directory), 0o755);
  if (made < 0 && made !== -EEXIST) return undefined;
  // Who ends the container removes this group last: it may have looked for it before it was made.
  if (!exists(known)) {
    callRaw("unlinkat", AT_FDCWD, cstr(directory), AT_REMOVEDIR);
    return undefined;
  }
  moveAll({ ...main, directories: { pids: known } }, freezer, directory);
  return freezer;
}

/** A child is born into the groups of its parent, so the rounds come to an end. */
function moveAll(from: CgroupPlace, to: CgroupPlace, directory: string): void {
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const moved = new Set(processesIn(to));
    // 0 is a process of another pid namespace.
    const others = processesIn(from).filter((pid) => pid > 0 && !moved.has(pid));
    if (others.length === 0) return;
    for (const pid of others) {
      const result = tryWriteControlFile(`${directory}/cgroup.procs`, String(pid));
      if (result < 0 && result !== -ESRCH) {
        throw new CgroupError(
          `Cannot pause the container: process ${pid} cannot be moved into "${directory}"`,
        );
      }
    }
  }
  throw new CgroupError("Cannot pause the container: it starts processes faster than they can be stopped");
}

const refusedThaw = (errno: number): CgroupError =>
  new CgroupError("Cannot let the container go on", {
    cause: new SyscallError({ name: "write", text: "write(freezer)", errno }),
  });

interface Guard {
  /** What is written to let the group go on. */
  readonly thawed: string;
  readonly programFile: string;
}

/** The lock on `control` is the guard's too: it lasts until the group goes on. */
function startGuard(control: number, { thawed, programFile }: Guard): Disposable {
  const { read, write } = pipe2();
  using readEnd = new Fd(read);
  const writeEnd = new Fd(write);
  const program = programWithReport();
  program.section("outlive the reader").setsid().ignoreErrors();
  program.section("wait for the reader").read(inheritedFd(0), program.room(8), 1).ignoreErrors();
  // Twice, since nobody else does it when the reader is gone; the reader sees how the second one ends.
  program.section("let the group go on").write(inheritedFd(1), thawed, thawed.length).ignoreErrors();
  program.write(inheritedFd(1), thawed, thawed.length);
  program.exit_group(0);
  let started: SpawnedProgram;
  try {
    started = spawnProgram(executableOf(finishProgram(program)), {
      namespaces: 0,
      inherit: [readEnd.number, control],
      programFile,
    });
  } catch (error) {
    writeEnd[Symbol.dispose]();
    throw error;
  }
  return {
    [Symbol.dispose]: () => {
      writeEnd[Symbol.dispose]();
      const exit = waitForExit(started.pidfd);
      started.release();
      // Somebody has killed the guard, or the kernel has refused: the reader is there still.
      if ("code" in exit && exit.code === 0) return;
      const errno = -callRaw("write", control, cstr(thawed), thawed.length);
      // ENODEV: the group has gone with the container.
      if (errno > 0 && errno !== ENODEV) throw refusedThaw(errno);
    },
  };
}
