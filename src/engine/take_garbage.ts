/**
 * Removes what no image refers to, so that the caller need not wait for it: renamed away at once, removed at once when
 * it is little, and by a process in the background when it is much. Whatever ends that process, the next command that
 * changes the store goes on with its work.
 */
import { collectGarbage, type Garbage } from "../store/collect.ts";
import { lockImages } from "../store/images.ts";
import { hasWork, Staging } from "../store/staging.ts";
import type { EngineContext } from "./context.ts";
import { holdUsers, type ImageUser } from "./image_users.ts";
import { ownCommand } from "./own_command.ts";
import { removeOwnedTree } from "./remove_owned_tree.ts";
import { type IdMaps, idMapsOfUser } from "./rootless.ts";

/** Directory entries that are removed before the prompt returns: some 20 ms. */
const ENTRIES_MAX = 1000;
/** Bytes that are: freeing the blocks of large files takes time too. */
const BYTES_MAX = 64 << 20;

const FULL: readonly string[] = ["ENOSPC", "EDQUOT"];

/** First word of the command line of the process in the background; src/main.ts knows it. */
export const REMOVAL_WORD = "--remove-abandoned";

/** What was taken away, and what has to be done about it after all locks are released. */
export interface TakenGarbage {
  readonly garbage: Garbage;
  /**
   * Removes it, or has it removed.
   * @param context in the program of somebody else (`embedded`) no second process can be started: it is waited for
   */
  finish(context: EngineContext): Promise<void>;
}

/**
 * Takes all garbage away, under the lock of the images.
 * @param decide called before, with those who use images, to change records or to refuse by throwing
 */
export async function takeUnderLock(
  root: string,
  decide: (users: readonly ImageUser[]) => void,
): Promise<TakenGarbage> {
  using _ = await lockImages(root);
  return await take(root, decide);
}

async function take(root: string, decide: (users: readonly ImageUser[]) => void): Promise<TakenGarbage> {
  using stack = new DisposableStack();
  // Nobody can start to use what is about to go.
  const { users } = stack.use(holdUsers(root));
  decide(users);
  const used = new Set(users.flatMap(({ layers }) => layers));
  // Their documents: an image may be made of a container whose own image has lost its name.
  const documents = new Set(users.flatMap(({ imageId, manifestDigest }) => [imageId, manifestDigest]));
  const staging = makeStaging(root);
  try {
    const garbage = collectGarbage(root, { used, documents, staging: staging?.path });
    const idMaps = process.getuid?.() === 0 ? undefined : idMapsOfUser();
    for (const path of garbage.unmoved) await removeOwnedTree(path, idMaps);
    return { garbage, finish: (context) => finish(staging, { garbage, idMaps }, context) };
  } catch (error) {
    staging?.abandon();
    throw error;
  }
}

/** @returns undefined when there is no room for another directory: what is to go then goes where it lies */
function makeStaging(root: string): Staging | undefined {
  try {
    return Staging.create(root);
  } catch (error) {
    if (FULL.includes(String((error as NodeJS.ErrnoException).code))) return undefined;
    throw error;
  }
}

interface Removal {
  readonly garbage: Garbage;
  readonly idMaps: IdMaps | undefined;
}

async function finish(
  staging: Staging | undefined,
  { garbage, idMaps }: Removal,
  { embedded = false }: EngineContext,
): Promise<void> {
  if (staging === undefined) return;
  const root = staging.path.slice(0, staging.path.lastIndexOf("/tmp/"));
  const isLittle = garbage.entries <= ENTRIES_MAX && garbage.sizeBytes <= BYTES_MAX;
  if (isLittle || embedded) {
    await removeOwnedTree(staging.path, idMaps);
    staging[Symbol.dispose]();
    // What another one has not come to the end of.
    if (embedded || !hasWork(root)) return;
  } else {
    staging.abandon();
  }
  const child = Bun.spawn([...ownCommand(), REMOVAL_WORD, root], {
    cwd: "/",
    stdio: ["ignore", "ignore", "ignore"],
    detached: true,
  });
  child.unref();
}
