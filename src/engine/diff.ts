/** `diff`: what a container has changed of its image's files. */
import { type Change, listChanges } from "../image/differ/changes.ts";
import type { EngineContext } from "./context.ts";
import { dataRoot } from "./directories.ts";
import { ContainerTree, containerPath, getContainer } from "./running_container.ts";
import { giveUpper } from "./upper_in_memory.ts";

/** Whose changes are told, by the process that may read all of them. */
export interface DiffHere {
  /** Data root. */
  readonly root: string;
  /** Id of the container; what it was started with may be secret, and is not handed on. */
  readonly id: string;
  /** Number of the descriptor of its layer, where that lies in memory. */
  readonly upper?: number | undefined;
}

/**
 * Lists the paths that a running container has added (A), changed (C) or deleted (D), in the order of their bytes; paths
 * are bytes as latin1 text.
 * @throws {NoSuchContainerError} {ContainerEndedError} {UsageError} where its changes are not kept apart
 */
export async function containerChanges(word: string, context: EngineContext): Promise<readonly Change[]> {
  const root = dataRoot(context);
  const what = { root, id: getContainer(root, word).id };
  if (process.getuid?.() === 0) return changesHere(what);
  const { idMapsOfUser } = await import("./rootless.ts");
  const { askTask, FIRST_GIVEN_FD } = await import("./user_namespace_task.ts");
  using given = giveUpper(containerPath(root, what.id), FIRST_GIVEN_FD);
  return (await askTask({ kind: "diff", ...what, ...given.upper }, idMapsOfUser(), given)) as Change[];
}

/** Lists them as the user that this process is, root of some namespace. */
export function changesHere({ root, id, upper }: DiffHere): readonly Change[] {
  using tree = new ContainerTree(root, getContainer(root, id), upper);
  try {
    const changes = listChanges(tree.openChanges());
    tree.checkAlive();
    return changes;
  } catch (error) {
    throw tree.explain(error);
  }
}
