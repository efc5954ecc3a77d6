/** The other side of user_namespace_task.ts: does the task as root of the user namespace. */
import { AT_FDCWD } from "../linux/abi/fcntl.ts";
import { readSmallText } from "../linux/small_file.ts";
import { CredentialError } from "./credential_helper.ts";
import { dataRoot } from "./directories.ts";
import type { RegistryAccess } from "./registry_access.ts";
import { sendFailure, sendMessage } from "./task_channel.ts";
import { FIRST_GIVEN_FD, SECRETS_FD, type Task, type TaskSecrets } from "./user_namespace_task.ts";

/** Answers in one message: a line of some 100 KB. */
const ANSWERS_MAX = 500;

/**
 * Does one task, and tells the first bunker how it goes and ends.
 * @param text a {@link Task} as JSON
 * @returns the exit code
 */
export async function doTask(text: string): Promise<number> {
  try {
    await workAt(text);
    return 0;
  } catch (error) {
    sendFailure(error);
    return 1;
  }
}

async function workAt(text: string): Promise<void> {
  const task = JSON.parse(text) as Task;
  switch (task.kind) {
    case "pull":
      return await doPull(task);
    case "load": {
      const { loadHere } = await import("./load_images.ts");
      const rootless = { owners: task.single ? ("single" as const) : ("exact" as const) };
      const { platform } = task;
      return sendAnswers(await loadHere(task.file, { root: dataRoot(task.context), rootless, platform }));
    }
    case "export":
      return await (await import("./export.ts")).exportHere(task, FIRST_GIVEN_FD);
    case "import":
      return sendAnswers([await (await import("./import.ts")).importHere(task.request, placeOf(task))]);
    case "diff":
      return sendAnswers((await import("./diff.ts")).changesHere(task));
    case "commit":
      return sendAnswers([await (await import("./commit.ts")).commitHere(task, placeOf(task))]);
    case "remove":
      return (await import("../fs/remove_tree.ts")).removeTree({ dirfd: AT_FDCWD, path: task.path });
    case "audit": {
      const { auditHere } = await import("./audit_layers.ts");
      return sendAnswers([await auditHere(task.root, task.request, placeOf(task).rootless)]);
    }
    case "view":
      return sendAnswers((await import("./image_view.ts")).answerHere(task.root, task.question));
    case "copy":
      return (await import("./copied_root.ts")).copyLayers(task, task.target);
  }
}

function sendAnswers(values: readonly unknown[]): void {
  for (let at = 0; at < values.length; at += ANSWERS_MAX) {
    sendMessage({ kind: "answer", values: values.slice(at, at + ANSWERS_MAX) });
  }
}

/** Where a task puts an image. */
function placeOf({ root, single }: { readonly root: string; readonly single: boolean }) {
  return { root, rootless: { owners: single ? ("single" as const) : ("exact" as const) } };
}

/** From memory that is gone with this process. */
function inheritedAccess(): RegistryAccess {
  const text = readSmallText(`/proc/self/fd/${SECRETS_FD}`);
  if (text === undefined) throw new Error("Cannot happen: the task has no secrets");
  const { client, failures } = JSON.parse(text) as TaskSecrets;
  return { client, failures: failures.map((message) => new CredentialError(message)) };
}

type PullTask = Extract<Task, { readonly kind: "pull" }>;

async function doPull(task: PullTask): Promise<void> {
  const { pullHere } = await import("./pull.ts");
  const { skipped } = await pullHere(
    task.reference,
    {
      platform: task.platform,
      rootless: { owners: task.single ? "single" : "exact" },
      access: inheritedAccess(),
      onLayer: (progress) => sendMessage({ kind: "layer", progress }),
      onNote: (text) => sendMessage({ kind: "note", text }),
      verbose: task.verbose,
    },
    task.context,
  );
  if (skipped.owners === 0) return;
  sendMessage({
    kind: "note",
    text:
      `${skipped.owners} files of other users belong to you in this image: you have one id only, ` +
      "see /etc/subuid, /etc/subgid and newuidmap(1)",
  });
}
