/** `update`: other limits for a container that runs (runc update; config-linux.md#control-groups). */
import type { IntelRdt, Resources } from "../../oci/bundle/config.ts";
import { applyResources } from "../../runtime/cgroup/update.ts";
import { checkId } from "./container_id.ts";
import { type RuntimeContext, RuntimeError } from "./context.ts";
import { statusOf } from "./state.ts";
import { StateDirectory } from "./state_directory.ts";
import { readStateFile, type StateFile } from "./state_file.ts";

/**
 * Sets what `resources` has; everything else stays as it is.
 * @throws {RuntimeError} when the container has ended
 * @throws {CgroupError} for a limit that the kernel refuses; none is changed then
 */
export async function updateContainer(
  id: string,
  resources: Resources,
  context: RuntimeContext,
): Promise<void> {
  using directory = await StateDirectory.open(context.root, checkId(id));
  const file = await openRunning(directory, context);
  if (file.cgroup === undefined) throw new RuntimeError("cannot update container: it has no control group");
  await applyResources(file.cgroup, resources, { rootless: file.rootless });
}

/** The two schemas that can be changed of a container that runs. */
export type RdtSchemas = Pick<IntelRdt, "l3CacheSchema" | "memBwSchema">;

/**
 * Sets other shares of caches and memory bandwidth for the container's class.
 * @throws {RuntimeError} when it has ended, or has no class
 * @throws {RdtError} for shares that the kernel refuses
 */
export async function updateContainerRdt(
  id: string,
  rdt: RdtSchemas,
  context: RuntimeContext,
): Promise<void> {
  using directory = await StateDirectory.open(context.root, checkId(id));
  const file = await openRunning(directory, context);
  if (file.rdt === undefined) {
    throw new RuntimeError("cannot update container: it was created without linux.intelRdt");
  }
  const { updateRdt } = await import("../../runtime/intel_rdt.ts");
  updateRdt(file.rdt, rdt);
}

async function openRunning(directory: StateDirectory, context: RuntimeContext): Promise<StateFile> {
  const file = readStateFile(directory.path);
  if (file === undefined) throw new RuntimeError("container does not exist");
  const status = statusOf(file, { directory: directory.path, context });
  if (status === "stopped") throw new RuntimeError("container not running");
  return file;
}
