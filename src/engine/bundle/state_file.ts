/** state.json of a container: written by create, read by every other verb. */
import { readSmallFile, readSmallText, replaceSmallFile } from "../../linux/small_file.ts";
import type { HookKind } from "../../oci/bundle/config.ts";
import type { CgroupPlace } from "../../runtime/cgroup/place.ts";
import type { RdtPlace } from "../../runtime/intel_rdt.ts";
import { RuntimeError } from "./context.ts";

/** A step after the program has been let go, so that a failure of it can be named by another process. */
export interface LateStep {
  readonly address: number;
  readonly call: string;
  readonly purpose: string;
}

/** Content of state.json; a pid of 0 means that no process was made yet. */
export interface StateFile {
  readonly ociVersion: string;
  readonly id: string;
  readonly bundle: string;
  readonly rootfs: string;
  /** RFC 3339. */
  readonly created: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** True until `create` has come to its end. */
  readonly creating: boolean;
  readonly pid: number;
  /** Of the process: ticks after the machine's start. */
  readonly startTime: number;
  readonly bootId: string;
  readonly rootless: boolean;
  /** Has processes of its own only: a PID namespace was made for it. */
  readonly ownsPids: boolean;
  readonly cgroup: CgroupPlace | undefined;
  /** A process of the container is in the group. Before that it may be nobody's yet, or another's. */
  readonly entered: boolean;
  /** Its class in resctrl, where it has one. */
  readonly rdt?: RdtPlace;
  readonly lateSteps: readonly LateStep[];
  /** For messages about them. */
  readonly process: { readonly args: readonly string[]; readonly cwd: string };
  /** The command runs under a filter. */
  readonly filtered: boolean;
  /** Where the filter's listener goes when the container starts. */
  readonly listener?: { readonly path: string; readonly metadata: string | undefined };
  /** Kinds of hooks that the configuration has, so that it is read again only where it must be. */
  readonly hooks: readonly HookKind[];
}

let foundBootId: string | undefined;

/** Identifies this start of the machine. */
export function bootId(): string {
  foundBootId ??= readSmallText("/proc/sys/kernel/random/boot_id")?.trim() ?? "";
  return foundBootId;
}

/** Writes the file, whole or not at all. */
export function writeState(directory: string, state: StateFile): void {
  replaceSmallFile(`${directory}/state.json`, `${JSON.stringify(state, undefined, 2)}\n`);
}

/**
 * Reads the file; undefined when the container's creation has not come so far.
 * @throws {RuntimeError} when it is damaged.
 */
export function readStateFile(directory: string): StateFile | undefined {
  const text = readSmallText(`${directory}/state.json`);
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (isStateFile(value)) return value;
    throw new TypeError("something is missing in it");
  } catch (error) {
    throw new RuntimeError(`cannot read "${directory}/state.json"`, {
      cause: error,
      hint: "Remove the container: bunker oci delete --force ID",
    });
  }
}

/** What every verb relies on. */
function isStateFile(value: unknown): value is StateFile {
  const { pid, hooks, bundle, lateSteps } = (value ?? {}) as Partial<StateFile>;
  return (
    Number.isInteger(pid) && typeof bundle === "string" && Array.isArray(hooks) && Array.isArray(lateSteps)
  );
}

/** The configuration that the container was created from. @throws {RuntimeError} when it is missing. */
export function readConfigFile(directory: string): Uint8Array {
  const bytes = readSmallFile(`${directory}/config.json`);
  if (bytes === undefined) throw new RuntimeError(`cannot read "${directory}/config.json": it is missing`);
  return bytes;
}
