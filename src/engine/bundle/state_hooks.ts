/** Hooks of the runtime, and the state that hooks read: config.md#posix-platform-hooks, runtime.md#state. */

import type { HookKind } from "../../oci/bundle/config.ts";
import { parseConfig } from "../../oci/bundle/parse.ts";
import { runHooks } from "../../runtime/hooks.ts";
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
