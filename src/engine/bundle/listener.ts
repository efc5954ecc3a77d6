/** Hands the listener of a seccomp filter over to its agent: config-linux.md#containerprocessstate. */
import { serveListener } from "../../runtime/seccomp_agent.ts";
import type { StateFile } from "./state_file.ts";
import { hookState } from "./state_hooks.ts";

/** The process whose filter it is. */
export interface ListenerProcess {
  readonly pidfd: number;
  readonly pid: number;
  /** The program's report page. */
  readonly page: Uint8Array;
}

/** Delivers the listener that `file` names, if there is one. @throws {SeccompAgentError} with the process killed. */
export function deliverListener(file: StateFile, process: ListenerProcess): void {
  const { listener } = file;
  if (listener === undefined) return;
  serveListener({ ...process, listener, state: hookState(file, "running", file.pid) });
}
