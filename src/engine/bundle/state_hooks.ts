/** Hooks of the runtime, and the state that hooks read: config.md#posix-platform-hooks, runtime.md#state. */

import { exists } from "../../linux/small_file.ts";
import type { HookKind } from "../../oci/bundle/config.ts";
import { parseConfig } from "../../oci/bundle/parse.ts";
import { runHooks, runLateHooks } from "../../runtime/hooks.ts";
import type { Status } from "./state.ts";
import { readConfigFile, type StateFile } from "./state_file.ts";

/** The document on a hook's standard input. */
export function hookState(file: StateFile, status: Status, pid: number) {
  const { ociVersion, id, bundle, annotations } = file;
  return {
    ociVersion,
    id,
    status,
    ...(pid === 0 ? {} : { pid }),
    bundle,
    ...(annotations === undefined ? {} : { annotations }),
  };
}

/** Which container, and what it is doing. */
export interface HookPlace {
  readonly directory: string;
  readonly file: StateFile;
  readonly status: Status;
}

/** Runs the hooks of a kind, as the container was created with. @throws {HookError} for the first that fails. */
export function runStateHooks(kind: HookKind, { directory, file, status }: HookPlace): void {
  const hooks = parseConfig(readConfigFile(directory)).hooks?.[kind] ?? [];
  const state = hookState(file, status, status === "stopped" ? 0 : file.pid);
  runHooks(kind, hooks, { state, cwd: file.bundle, programFile: `${directory}/program` });
}

/**
 * Reads the poststop hooks of a container that is about to be deleted. @returns what runs them afterwards, each whatever
 * becomes of the others: runtime.md#lifecycle, step 13. A directory that a kill has left without its configuration has none.
 */
export function poststopHooks(
  { directory, file }: Omit<HookPlace, "status">,
  root: string,
): (warn: (message: string) => void) => void {
  const isKept = exists(`${directory}/config.json`);
  const hooks = isKept ? (parseConfig(readConfigFile(directory)).hooks?.poststop ?? []) : [];
  const state = hookState(file, "stopped", 0);
  // No id begins so; the directory of the container is gone.
  const programFile = `${root}/~${file.id}`;
  return (warn) => runLateHooks("poststop", hooks, { state, cwd: file.bundle, programFile, warn });
}
