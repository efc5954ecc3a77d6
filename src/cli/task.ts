/** The command line of the second bunker, which works as root of a user namespace: engine/user_namespace_task.ts. */
import { doTask } from "../engine/run_task.ts";
import { harmless, writeError } from "./output.ts";
import { openProgress } from "./progress.ts";
import { report } from "./report.ts";

/** Does the task that `text` describes, and reports its errors on stderr. @returns the exit code */
export async function runUserNamespaceTask(text: string): Promise<number> {
  try {
    await doTask(text, {
      openObserver: openProgress,
      note: (line) => writeError(`bunker: ${harmless(line)}\n`),
    });
    return 0;
  } catch (error) {
    return await report(error, { command: undefined, debug: false });
  }
}
