/** `pause` and `resume`: stops every process of a container and lets them go on (runc's commands of these names). */
import { freezeCgroup, thawCgroup } from "../../runtime/cgroup/freezer.ts";
import { isFrozen } from "../../runtime/cgroup/frozen.ts";
import type { CgroupPlace } from "../../runtime/cgroup/place.ts";
import { checkId } from "./container_id.ts";
import { type RuntimeContext, RuntimeError } from "./context.ts";
import { type Status, statusOf } from "./state.ts";
import { StateDirectory } from "./state_directory.ts";
import { readStateFile } from "./state_file.ts";

/**
 * Freezes the container; returns when all its processes have stopped.
 * @throws {RuntimeError} unless it is created or running, or without a freezer
 */
export async function pauseContainer(id: string, context: RuntimeContext): Promise<void> {
  using container = await openContainer(id, context);
  const { status, cgroup } = container;
  if (status !== "running" && status !== "created") {
    throw new RuntimeError(`container not running or created: ${status}`);
  }
  if (!freezeCgroup(cgroup))
    throw new RuntimeError("cannot pause container: its control group has no freezer");
}

/** Thaws the container. @throws {RuntimeError} unless it is paused */
export async function resumeContainer(id: string, context: RuntimeContext): Promise<void> {
  using container = await openContainer(id, context);
  if (container.status === "stopped" || !isFrozen(container.cgroup))
    throw new RuntimeError("container not paused");
  thawCgroup(container.cgroup);
}

interface LockedContainer extends Disposable {
  readonly status: Status;
  readonly cgroup: CgroupPlace;
}

/** Nobody else changes the container until it is disposed of. */
async function openContainer(id: string, context: RuntimeContext): Promise<LockedContainer> {
  using stack = new DisposableStack();
  const directory = stack.use(await StateDirectory.open(context.root, checkId(id)));
  const file = readStateFile(directory.path);
  if (file === undefined) throw new RuntimeError("container does not exist");
  const status = statusOf(file, { directory: directory.path, context });
  if (file.cgroup === undefined || file.cgroup.version === 0) {
    throw new RuntimeError("cannot pause or resume container: it has no control group");
  }
  const owned = stack.move();
  return { status, cgroup: file.cgroup, [Symbol.dispose]: () => owned[Symbol.dispose]() };
}
