/** The other side of user_namespace_task.ts: does the task as root of the user namespace. */
import { AT_FDCWD } from "../linux/abi/fcntl.ts";
import { readSmallText } from "../linux/small_file.ts";
import { CredentialError } from "./credential_helper.ts";
import type { FoundCredentials } from "./credentials.ts";
import type { PullObserver } from "./progress.ts";
import { SECRETS_FD, type Task, type TaskSecrets } from "./user_namespace_task.ts";

/** What a task shows to the user. */
export interface TaskDisplay {
  /** Makes the display of a pull. */
  readonly openObserver: (options: { readonly implicit: boolean }) => PullObserver;
  /** Shows one line that the user should know about. */
  readonly note: (line: string) => void;
}

/**
 * Does one task.
 * @param text a {@link Task} as JSON
 * @throws {BunkerError} whatever the task throws
 */
export async function doTask(text: string, display: TaskDisplay): Promise<void> {
  const task = JSON.parse(text) as Task;
  if (task.kind === "pull") {
    await doPull(task, display);
  } else if (task.kind === "load") {
    const { loadHere } = await import("./load_images.ts");
    await loadHere(task.file, { owners: task.single ? "single" : "exact" }, task.context);
  } else if (task.kind === "remove") {
    const { removeTree } = await import("../fs/remove_tree.ts");
    removeTree({ dirfd: AT_FDCWD, path: task.path });
  } else {
    const { copyLayers } = await import("./copied_root.ts");
    copyLayers(task, task.target);
  }
}

/** From memory that is gone with this process. */
function inheritedCredentials(): FoundCredentials {
  const text = readSmallText(`/proc/self/fd/${SECRETS_FD}`);
  if (text === undefined) throw new Error("Cannot happen: the task has no secrets");
  const { store, failures } = JSON.parse(text) as TaskSecrets;
  return { store, failures: failures.map((message) => new CredentialError(message)) };
}

type PullTask = Extract<Task, { readonly kind: "pull" }>;

async function doPull(task: PullTask, { openObserver, note }: TaskDisplay): Promise<void> {
  const { pullHere } = await import("./pull.ts");
  const observer = task.quiet ? undefined : openObserver(task);
  const rootless = { owners: task.single ? ("single" as const) : ("exact" as const) };
  const request = { platform: task.platform, observer, rootless, credentials: inheritedCredentials() };
  const { skipped } = await pullHere(task.reference, request, task.context);
  if (skipped.owners === 0 || task.quiet) return;
  note(
    `${skipped.owners} files of other users belong to you in this image: you have one id only, ` +
      "see /etc/subuid, /etc/subgid and newuidmap(1)",
  );
}
