/** What a container is doing: runtime-spec, runtime.md#state. */

import { type ProcessStat, readProcessStat } from "../../linux/process_stat.ts";
import { exists } from "../../linux/small_file.ts";
import { isFrozen } from "../../runtime/cgroup/frozen.ts";
import { checkId } from "./container_id.ts";
import { type RuntimeContext, RuntimeError } from "./context.ts";
import { StateDirectory } from "./state_directory.ts";
import { bootId, readStateFile, type StateFile } from "./state_file.ts";

/** runtime.md#state, and runc's `paused`. */
export type Status = "creating" | "created" | "running" | "paused" | "stopped";

/** What `state` prints: runtime.md#state with runc's additions. */
export interface ContainerState {
  readonly ociVersion: string;
  readonly id: string;
  /** 0 when stopped. */
  readonly pid: number;
  readonly status: Status;
  readonly bundle: string;
  readonly rootfs: string;
  /** RFC 3339. */
  readonly created: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly owner: string;
}

/** The state of container `id`. @throws {RuntimeError} when there is none. */
export async function readState(id: string, context: RuntimeContext): Promise<ContainerState> {
  const directory = `${context.root}/${checkId(id)}`;
  const file = readStateFile(directory);
  if (file === undefined) {
    if (!exists(directory)) throw new RuntimeError("container does not exist");
    return unfinished(id, isLocked(id, context) ? "creating" : "stopped");
  }
  return stateOf(file, statusOf(file, { directory, context }));
}

/** The document for a state file and a status. */
export function stateOf(file: StateFile, status: Status): ContainerState {
  const { ociVersion, id, bundle, rootfs, created, annotations } = file;
  return {
    ociVersion,
    id,
    pid: status === "stopped" ? 0 : file.pid,
    status,
    bundle,
    rootfs,
    created,
    ...(annotations === undefined ? {} : { annotations }),
    owner: "",
  };
}

/** A directory whose maker has not come to write the file, or died before. */
const unfinished = (id: string, status: Status): ContainerState => ({
  ociVersion: "",
  id,
  pid: 0,
  status,
  bundle: "",
  rootfs: "",
  created: "0001-01-01T00:00:00Z",
  owner: "",
});

/** Where a status is read from. */
export interface StatusPlace {
  readonly directory: string;
  readonly context: RuntimeContext;
}

/** What the container's process and files say. */
export function statusOf(file: StateFile, { directory, context }: StatusPlace): Status {
  if (file.pid === 0) return isLocked(file.id, context) ? "creating" : "stopped";
  if (!isAlive(file)) return "stopped";
  if (file.creating && isLocked(file.id, context)) return "creating";
  if (file.cgroup !== undefined && isFrozen(file.cgroup)) return "paused";
  return exists(`${directory}/exec.fifo`) ? "created" : "running";
}

/** The process of the state file runs: not another one that got its id later, and no zombie. */
export function isAlive(file: StateFile): boolean {
  const stat = processOf(file);
  return stat !== undefined && stat.state !== "Z" && stat.state !== "X";
}

/** Its process has ended, or is about to: one that is killed has closed its files before it counts as ended. */
export const isEnding = (file: StateFile): boolean => processOf(file)?.exiting !== false;

function processOf({ pid, startTime, bootId: boot }: StateFile): ProcessStat | undefined {
  const stat = pid === 0 ? undefined : readProcessStat(pid);
  return stat?.startTime === startTime && boot === bootId() ? stat : undefined;
}

function isLocked(id: string, { root }: RuntimeContext): boolean {
  const directory = StateDirectory.tryOpen(root, id);
  directory?.[Symbol.dispose]();
  return directory === undefined;
}
