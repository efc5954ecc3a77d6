/** `ps`: the processes of a container, as ids of this PID namespace. */
import { readdirSync, readlinkSync } from "node:fs";
import { processesIn } from "../../runtime/cgroup/processes.ts";
import { checkId } from "./container_id.ts";
import { type RuntimeContext, RuntimeError } from "./context.ts";
import { isAlive } from "./state.ts";
import { readStateFile, type StateFile } from "./state_file.ts";

/**
 * All processes of container `id`, those of `exec` too, in ascending order. Empty when it has ended.
 * @throws {RuntimeError} when there is none
 */
export async function processesOf(id: string, context: RuntimeContext): Promise<number[]> {
  const file = readStateFile(`${context.root}/${checkId(id)}`);
  if (file === undefined) throw new RuntimeError("container does not exist");
  const grouped = file.cgroup !== undefined && file.cgroup.version !== 0;
  const pids = grouped ? processesIn(file.cgroup) : processesByNamespace(file);
  return pids.sort((a, b) => a - b);
}

/** Without a control group: all in the container's own PID namespace, or the one process that is known. */
function processesByNamespace(file: StateFile): number[] {
  if (!isAlive(file)) return [];
  const namespace = namespaceOf(file.pid);
  if (!file.ownsPids || namespace === undefined) return [file.pid];
  const pids = readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number);
  return pids.filter((pid) => namespaceOf(pid) === namespace);
}

function namespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    // The process has ended, or belongs to somebody else.
    return undefined;
  }
}
