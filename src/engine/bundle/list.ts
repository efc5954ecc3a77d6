/** `list`: every container below the root, whatever became of it. */
import { isDirectory, readSmallText } from "../../linux/small_file.ts";
import type { RuntimeContext } from "./context.ts";
import { type ContainerState, readState } from "./state.ts";

/** States of all containers, by id, with the name of who owns each. One that goes away meanwhile is left out. */
export async function listContainers(context: RuntimeContext): Promise<ContainerState[]> {
  if (!isDirectory(context.root)) return [];
  const { readdirSync, statSync } = await import("node:fs");
  const names = new Map<number, string>();
  const states: ContainerState[] = [];
  for (const id of readdirSync(context.root).sort()) {
    if (!isDirectory(`${context.root}/${id}`)) continue;
    try {
      const state = await readState(id, context);
      const { uid } = statSync(`${context.root}/${id}`);
      if (!names.has(uid)) names.set(uid, userName(uid));
      states.push({ ...state, owner: names.get(uid) ?? "" });
    } catch {
      // Deleted meanwhile, or no container of ours.
    }
  }
  return states;
}

/** By this machine's passwd(5), as runc has it; `#1000` for a user who is not in it. */
function userName(uid: number): string {
  const entry = (readSmallText("/etc/passwd") ?? "")
    .split("\n")
    .find((line) => line.split(":")[2] === String(uid));
  return entry?.split(":")[0] ?? `#${uid}`;
}
