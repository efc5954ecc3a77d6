/** The entry point of the program: hands the command line over, and leaves with its exit code. */
import { dispatch } from "./cli/dispatch.ts";

const words = process.argv.slice(2);

// The word is TASK_WORD of engine/user_namespace_task.ts, which is not to be loaded by every start.
const exitCode = words[0] === "--user-namespace-task" ? runTask(words) : dispatch(words);

// Leaving by process.exit spares the natural end of the event loop, 0.5 to 1 ms.
void exitCode.then((code) => process.exit(code));

async function runTask([, task = ""]: readonly string[]): Promise<number> {
  const { runUserNamespaceTask } = await import("./cli/task.ts");
  return runUserNamespaceTask(task);
}
