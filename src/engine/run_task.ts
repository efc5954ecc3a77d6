/** The other side of user_namespace_task.ts: does the task as root of the user namespace. */
import type { PullObserver } from "./progress.ts";
import type { Task } from "./user_namespace_task.ts";

/** Does one task; `openObserver` makes the display of a pull. */
export async function doTask(
  text: string,
  openObserver: (options: { readonly implicit: boolean }) => Promise<PullObserver>,
): Promise<void> {
  const task = JSON.parse(text) as Task;
  if (task.kind === "pull") {
    const { pullHere } = await import("./pull.ts");
    const observer = task.quiet ? undefined : await openObserver(task);
    const rootless = { owners: task.single ? ("single" as const) : ("exact" as const) };
    await pullHere(task.reference, { platform: task.platform, observer, rootless }, task.context);
  } else if (task.kind === "remove") {
    const { removeTree } = await import("../fs/remove_tree.ts");
    removeTree({ dirfd: -100, path: task.path });
  } else {
    const { copyLayers } = await import("./copied_root.ts");
    copyLayers(task, task.target);
  }
}
