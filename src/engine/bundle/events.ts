/** `events`: statistics of a container at intervals, and a line when the kernel has killed a process for want of memory. */
import { oomKills } from "../../runtime/cgroup/oom.ts";
import type { CgroupPlace } from "../../runtime/cgroup/place.ts";
import { type CgroupStats, statsIn } from "../../runtime/cgroup/stats.ts";
import { checkId } from "./container_id.ts";
import { type RuntimeContext, RuntimeError } from "./context.ts";
import { isAlive } from "./state.ts";
import { readStateFile, type StateFile } from "./state_file.ts";

/** One line of `events`, for JSON.stringify. */
export type ContainerEvent =
  | { readonly type: "stats"; readonly id: string; readonly data: CgroupStats }
  | { readonly type: "oom"; readonly id: string };

/** Longest time until an end or a kill is seen, whatever the interval between statistics. */
const LOOK_MS = 100;

/** The statistics of a container. @throws {RuntimeError} unless it is alive and has a control group */
export async function statsOf(id: string, context: RuntimeContext): Promise<ContainerEvent> {
  const { file, cgroup } = openGroup(id, context);
  if (!isAlive(file)) throw new RuntimeError(`container with id ${id} is not running`);
  return { type: "stats", id, data: await statsIn(cgroup) };
}

/**
 * Statistics every `intervalMs`, beginning with the first interval's end, and each kill as it is seen; ends with the
 * container.
 * @throws {RuntimeError} unless it is alive and has a control group
 */
export async function* eventsOf(
  id: string,
  { intervalMs }: { readonly intervalMs: number },
  context: RuntimeContext,
): AsyncGenerator<ContainerEvent> {
  const { file, cgroup } = openGroup(id, context);
  if (!isAlive(file)) throw new RuntimeError(`container with id ${id} is not running`);
  let kills = oomKills(cgroup) ?? 0;
  let next = performance.now() + intervalMs;
  for (let alive = true; alive; ) {
    await Bun.sleep(Math.max(0, Math.min(LOOK_MS, next - performance.now())));
    // Asked before the counter is read: a kill that ends the container is counted by then.
    alive = isAlive(file);
    const seen = oomKills(cgroup) ?? kills;
    for (; kills < seen; kills++) yield { type: "oom", id };
    if (!alive || performance.now() < next) continue;
    next += intervalMs;
    yield { type: "stats", id, data: await statsIn(cgroup) };
  }
}

function openGroup(
  id: string,
  { root }: RuntimeContext,
): { readonly file: StateFile; readonly cgroup: CgroupPlace } {
  const file = readStateFile(`${root}/${checkId(id)}`);
  if (file === undefined) throw new RuntimeError("container does not exist");
  if (file.cgroup === undefined || file.cgroup.version === 0) {
    throw new RuntimeError("cannot read statistics: the container has no control group");
  }
  return { file, cgroup: file.cgroup };
}
