/** The work of the process in the background (take_garbage.ts): removes what is in nobody's hands. */
import { removeAbandoned } from "../store/staging.ts";
import { removeOwnedTree } from "./remove_owned_tree.ts";
import { idMapsOfUser } from "./rootless.ts";

/** Removes what commands have left in a store's `tmp`. */
export async function removeAllAbandoned(root: string): Promise<void> {
  const idMaps = process.getuid?.() === 0 ? undefined : idMapsOfUser();
  await removeAbandoned(root, (path) => removeOwnedTree(path, idMaps));
}
