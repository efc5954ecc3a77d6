/**
 * The command lines of bunker's own second processes: one works as root of a user namespace
 * (engine/user_namespace_task.ts), the other removes files in the background (engine/take_garbage.ts).
 */
import { doTask } from "../engine/run_task.ts";

/** Does the task that `text` describes. Its errors go to whoever started this process. @returns the exit code */
export async function runUserNamespaceTask(text: string): Promise<number> {
  return await doTask(text);
}

/** Removes what commands have left in the store's `tmp`. Nobody listens any more. @returns the exit code */
export async function runRemoval(root: string): Promise<number> {
  const { removeAllAbandoned } = await import("../engine/remove_abandoned.ts");
  await removeAllAbandoned(root);
  return 0;
}
