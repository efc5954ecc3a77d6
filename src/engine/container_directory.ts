/**
 * The directory of one container: `ROOT/c/ID`, with the overlay's `upper` and `work` in its `rw`. It is locked while
 * its engine lives; a directory whose lock is free is what a SIGKILL left, and the next container's engine removes it.
 */

import { EACCES, ENOENT, EPERM } from "../linux/abi/errno.ts";
import { AT_FDCWD, AT_REMOVEDIR, O_CLOEXEC, O_DIRECTORY } from "../linux/abi/fcntl.ts";
import { LOCK_EX, LOCK_NB, LOCK_SH } from "../linux/abi/file.ts";
import { call, callRaw, cstr, SyscallError } from "../linux/call.ts";
import { STAT_SIZE, statLinks } from "../linux/stat.ts";
import { removeLeftCgroup } from "../runtime/cgroup/cgroup.ts";
import type { IdMaps } from "./rootless.ts";

/** Directory of all containers, relative to the data root; short, since mount options name it. */
export const CONTAINERS = "c";

/** A container's directory. */
export interface ContainerDirectory {
  /** Relative to the data root. */
  readonly name: string;
  readonly path: string;
  /** Holds the overlay's `upper` and `work`; relative to the data root. */
  readonly scratch: string;
  /** Removes it with all that the container wrote. */
  remove(): Promise<void>;
}

/**
 * Makes and locks the directory of container `id` (64 hex digits).
 * @param idMaps needed to remove what users of a namespace have written; undefined as root.
 */
export function createContainerDirectory(root: string, id: string, idMaps?: IdMaps): ContainerDirectory {
  const name = `${CONTAINERS}/${id.slice(0, 12)}`;
  const path = `${root}/${name}`;
  const lock = makeLocked(root, path);
  for (const directory of ["rw", "rw/upper", "rw/work"]) call("mkdirat", lock, cstr(directory), 0o755);
  const remove = async () => {
    if (!removeUnused(lock, path)) await removeTree(path, idMaps);
    call("close", lock);
  };
  return { name, path, scratch: `${name}/rw`, remove };
}

/** While a directory is made and not locked yet, nobody may look for stale ones: that is what the parent's lock says. */
function makeLocked(root: string, path: string): number {
  const parent = openContainers(root);
  try {
    call("flock", parent, LOCK_SH);
    call("mkdirat", AT_FDCWD, cstr(path), 0o711);
    const directory = call("openat", AT_FDCWD, cstr(path), O_DIRECTORY | O_CLOEXEC);
    call("flock", directory, LOCK_EX | LOCK_NB);
    return directory;
  } finally {
    call("close", parent);
  }
}

function openContainers(root: string): number {
  const path = cstr(`${root}/${CONTAINERS}`);
  const fd = callRaw("openat", AT_FDCWD, path, O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) return fd;
  // EEXIST: another process has just made it.
  if (fd === -ENOENT) callRaw("mkdirat", AT_FDCWD, path, 0o711);
  return call("openat", AT_FDCWD, path, O_DIRECTORY | O_CLOEXEC);
}

/** Directory of overlayfs itself, below the one that it is given. */
const inner = ["rw", "work", "work"].join("/");

/** What overlayfs leaves there when it was mounted volatile, and the rest of the directory. */
const leftovers: ReadonlyArray<readonly [path: string, flags: number]> = [
  [`${inner}/incompat/volatile/dirty`, 0],
  [`${inner}/incompat/volatile`, AT_REMOVEDIR],
  [`${inner}/incompat`, AT_REMOVEDIR],
  [inner, AT_REMOVEDIR],
  ["rw/work", AT_REMOVEDIR],
  ["rw/upper", AT_REMOVEDIR],
  ["rw", AT_REMOVEDIR],
];

/** The common case, a container that wrote nothing: eight calls instead of a walk. @returns whether it is gone. */
function removeUnused(directory: number, path: string): boolean {
  for (const [name, flags] of leftovers) callRaw("unlinkat", directory, cstr(name), flags);
  return callRaw("unlinkat", AT_FDCWD, cstr(path), AT_REMOVEDIR) === 0;
}

/** Files of users that are mapped into the container can be removed only by root of such a namespace. */
async function removeTree(path: string, idMaps: IdMaps | undefined): Promise<void> {
  const { removeTree: remove } = await import("../fs/remove_tree.ts");
  try {
    remove({ dirfd: AT_FDCWD, path });
  } catch (error) {
    const denied = error instanceof SyscallError && (error.errno === EACCES || error.errno === EPERM);
    if (!denied || idMaps === undefined) throw error;
    const { runTask } = await import("./user_namespace_task.ts");
    await runTask({ kind: "remove", path }, idMaps);
  }
}

/** Removes the directories of containers whose engine is gone; three calls when there is only the own one. */
export async function removeStaleContainers(root: string, own: string, idMaps?: IdMaps): Promise<void> {
  const parent = openContainers(root);
  try {
    const stat = new Uint8Array(new ArrayBuffer(STAT_SIZE));
    call("fstat", parent, stat);
    // A directory has a link for each subdirectory, and two more; filesystems that do not count them say 1.
    if (statLinks(stat) === 3) return;
    const { lockStale } = await import("./stale_containers.ts");
    for (const stale of lockStale(parent, own)) {
      removeLeftCgroup(stale.name);
      await removeTree(`${root}/${CONTAINERS}/${stale.name}`, idMaps);
      call("close", stale.lock);
    }
  } finally {
    call("close", parent);
  }
}
