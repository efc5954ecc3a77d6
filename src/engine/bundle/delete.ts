/**
 * `delete`: takes away everything that the container has left: processes, control groups, its directory; then its poststop
 * hooks run (runtime.md#delete). What an engine that was killed left half made goes the same way.
 */
import { POLLIN } from "../../linux/abi/fcntl.ts";
import { SIGKILL } from "../../linux/abi/sched.ts";
import { call } from "../../linux/call.ts";
import { exists } from "../../linux/small_file.ts";
import { checkId } from "./container_id.ts";
import { type RuntimeContext, RuntimeError } from "./context.ts";
import { openProcess, signalProcess } from "./kill.ts";
import { isEnding, statusOf } from "./state.ts";
import { StateDirectory } from "./state_directory.ts";
import { readStateFile, type StateFile } from "./state_file.ts";

/** How long a killed process may take to end. */
const END_MS_MAX = 10_000;

/**
 * Deletes container `id`. With `force` a missing one is no error, and one that runs is killed.
 * @throws {RuntimeError} when it runs, or does not end.
 */
export async function deleteContainer(
  id: string,
  { force, context }: { readonly force: boolean; readonly context: RuntimeContext },
): Promise<void> {
  using directory = await openDirectory(context.root, checkId(id), force);
  if (directory === undefined) return;
  const file = readForDeletion(directory.path, force);
  if (file === undefined) return await directory.remove();
  const status = statusOf(file, { directory: directory.path, context });
  // The lock is ours, so nobody creates it any more. One that is ending is waited for.
  if (!force && (status === "running" || status === "paused") && !isEnding(file)) {
    throw new RuntimeError(`cannot delete container ${id} that is not stopped: ${status}`, {
      hint: "Stop it first, or delete --force",
    });
  }
  await removeContainer(directory, file, context);
}

/** Undefined when there is none and none needs to be: another process may delete it while this one waits for it. */
async function openDirectory(root: string, id: string, force: boolean): Promise<StateDirectory | undefined> {
  const isGone = (): boolean => force && !exists(`${root}/${id}`);
  if (isGone()) return undefined;
  try {
    return await StateDirectory.open(root, id);
  } catch (error) {
    if (isGone()) return undefined;
    throw error;
  }
}

/**
 * A damaged state names nothing to end: with `force` the directory goes, without its hooks. One that cannot be read for
 * now (EMFILE, EIO) is another matter: a container may run.
 */
function readForDeletion(directory: string, force: boolean): StateFile | undefined {
  try {
    return readStateFile(directory);
  } catch (error) {
    if (force && error instanceof RuntimeError) return undefined;
    throw error;
  }
}

/** Removes the container that `directory` holds the lock of, whatever it is doing. Hooks that fail are warned of. */
export async function removeContainer(
  directory: StateDirectory,
  file: StateFile,
  { log, root }: Pick<RuntimeContext, "log" | "root">,
): Promise<void> {
  await endProcesses(file);
  await removeGroup(file);
  if (file.rdt !== undefined) {
    const { removeRdt } = await import("../../runtime/intel_rdt.ts");
    removeRdt(file.rdt);
  }
  // They run after the container is deleted, so what they are is read before: config.md#poststop.
  const hooks = file.hooks.includes("poststop") ? await import("./state_hooks.ts") : undefined;
  const run = hooks?.poststopHooks({ directory: directory.path, file }, root);
  await directory.remove();
  run?.((message) => log("warning", message));
}

/** What keeps a group busy that no process of the container has entered is somebody else's, and stays. */
async function removeGroup({ cgroup, entered }: StateFile): Promise<void> {
  if (cgroup === undefined) return;
  const { removeCgroup } = await import("../../runtime/cgroup/remove.ts");
  try {
    await removeCgroup(cgroup);
  } catch (error) {
    if (entered) throw error;
  }
}

/** The same after an error, which is what the caller is to hear of, whatever becomes of the removal. */
export async function takeBack(
  directory: StateDirectory,
  file: StateFile,
  context: RuntimeContext,
): Promise<void> {
  try {
    await removeContainer(directory, file, context);
  } catch (error) {
    context.log("warning", `cannot remove what is left of container ${file.id}: ${(error as Error).message}`);
  }
}

async function endProcesses(file: StateFile): Promise<void> {
  const pidfd = openProcess(file);
  try {
    if (pidfd !== undefined) signalProcess(file, SIGKILL);
    // Others in the group: those of exec, and all where the PID namespace is shared.
    if (file.cgroup !== undefined && file.entered) {
      const { killCgroup } = await import("../../runtime/cgroup/processes.ts");
      killCgroup(file.cgroup, SIGKILL);
    }
    if (pidfd !== undefined) awaitEnd(pidfd);
  } finally {
    if (pidfd !== undefined) call("close", pidfd);
  }
}

/** Waits for a killed process: a pidfd can be read from once it has ended (pidfd_open(2)). @throws {RuntimeError} */
export function awaitEnd(pidfd: number): void {
  const watched = new Uint8Array(Int32Array.of(pidfd, POLLIN).buffer);
  const timeout = new Uint8Array(BigInt64Array.of(BigInt(END_MS_MAX / 1000), 0n).buffer);
  if (call("ppoll", watched, 1, timeout, null, 8) === 0) {
    throw new RuntimeError("container does not end: its process is still there after SIGKILL");
  }
}
