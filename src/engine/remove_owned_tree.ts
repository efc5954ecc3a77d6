/** Removes a tree whose files may belong to users that only a user namespace maps. */
import { removeTree } from "../fs/remove_tree.ts";
import { EACCES, EPERM } from "../linux/abi/errno.ts";
import { AT_FDCWD } from "../linux/abi/fcntl.ts";
import { SyscallError } from "../linux/call.ts";
import type { IdMaps } from "./rootless.ts";

/** Removes the tree, if need be as root of a namespace with `idMaps`. @throws {SyscallError} {RelayedError} */
export async function removeOwnedTree(path: string, idMaps: IdMaps | undefined): Promise<void> {
  try {
    removeTree({ dirfd: AT_FDCWD, path });
  } catch (error) {
    const denied = error instanceof SyscallError && (error.errno === EACCES || error.errno === EPERM);
    if (!denied || idMaps === undefined) throw error;
    const { runTask } = await import("./user_namespace_task.ts");
    await runTask({ kind: "remove", path }, idMaps);
  }
}
