/** `list`: every container below the root, whatever became of it. */
import { isDirectory } from "../../linux/small_file.ts";
import type { RuntimeContext } from "./context.ts";
import { type ContainerState, readState } from "./state.ts";

/** States of all containers, by id. One that goes away meanwhile is left out. */
export async function listContainers(context: RuntimeContext): Promise<ContainerState[]> {
  if (!isDirectory(context.root)) return [];
  const { readdirSync } = await import("node:fs");
  const states: ContainerState[] = [];
  for (const id of readdirSync(context.root).sort()) {
    if (!isDirectory(`${context.root}/${id}`)) continue;
    try {
      states.push(await readState(id, context));
    } catch {
      // Deleted meanwhile, or no container of ours.
    }
  }
  return states;
}
