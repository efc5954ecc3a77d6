/**
 * The directory of one container: `ROOT/c/ID`, with the overlay's `upper` and `work` in its `rw`. It is locked while
 * its engine lives; a directory whose lock is free is what a SIGKILL left, and the next container's engine removes it.
 */

import { ENOENT } from "../linux/abi/errno.ts";
import { AT_FDCWD, AT_REMOVEDIR, O_CLOEXEC, O_DIRECTORY } from "../linux/abi/fcntl.ts";
import { LOCK_EX, LOCK_NB, LOCK_SH } from "../linux/abi/file.ts";
import { call, callRaw, cstr } from "../linux/call.ts";
import { exists, writeSmallFile } from "../linux/small_file.ts";
import { STAT_SIZE, statLinks } from "../linux/stat.ts";
import type { Digest } from "../oci/digest.ts";
import { removeLeftCgroup } from "../runtime/cgroup/cgroup.ts";
import type { StoredImage } from "../store/find_image.ts";
import type { RunOptions } from "./options/run_options.ts";
import type { IdMaps } from "./rootless.ts";
import { keepUpperInMemory, mayRefuseUpper } from "./upper_in_memory.ts";

/** Directory of all containers, relative to the data root; short, since mount options name it. */
export const CONTAINERS = "c";

/** A container's directory. */
export interface ContainerDirectory {
  /** Relative to the data root. */
  readonly name: string;
  readonly path: string;
  /** Holds the overlay's `upper` and `work`; relative to the data root. */
  readonly scratch: string;
  /** The file system is none of those that overlayfs is known to take `upper` from. */
  readonly mayRefuseUpper: boolean;
  /** Lets others read the container's layer where it lies elsewhere (upper_in_memory.ts). @param fd owned from then on */
  readonly keepUpper: (fd: number) => void;
  /** Removes it with all that the container wrote. */
  remove(): Promise<void>;
}

/**
 * What the container uses of the store, for whoever removes images (container_uses.ts), and what it was made from, for
 * whoever makes an image of it (commit.ts).
 */
export interface ContainerUse {
  readonly imageId: Digest;
  /** Relative to the root. */
  readonly layers: readonly string[];
  readonly manifestDigest: Digest;
  /** Form of the marks in its own layer. */
  readonly overlayXattrs: StoredImage["overlayXattrs"];
  readonly name: string | undefined;
  /** What of the image's configuration the user replaced. */
  readonly given: GivenConfig;
}

/** Options of `run` that an image's configuration has too. */
export type GivenConfig = Pick<RunOptions, "command" | "entrypoint" | "env" | "user" | "workdir">;

/** A container to be. */
export interface NewContainer {
  /** 64 hex digits. */
  readonly id: string;
  /** Needed to remove what users of a namespace have written; undefined as root. */
  readonly idMaps: IdMaps | undefined;
  readonly use: ContainerUse;
}

/** File in the container's directory that holds a {@link ContainerUse}. */
export const USE_FILE = "use.json";

/**
 * Makes and locks the directory of a container.
 * @throws {ImageGoneError} when the image was removed after it had been found.
 */
export async function createContainerDirectory(
  root: string,
  { id, idMaps, use }: NewContainer,
): Promise<ContainerDirectory> {
  const name = `${CONTAINERS}/${id.slice(0, 12)}`;
  const path = `${root}/${name}`;
  const lock = makeLocked(root, { path, use });
  for (const directory of ["rw", "rw/upper", "rw/work"]) call("mkdirat", lock, cstr(directory), 0o755);
  let kept: Disposable | undefined;
  const remove = async () => {
    if (kept !== undefined) {
      // First, as below: whoever reads the layer sees by it that it is whole.
      callRaw("unlinkat", lock, cstr(USE_FILE), 0);
      kept[Symbol.dispose]();
    }
    if (!removeUnused(lock, path)) await removeTree(path, idMaps);
    call("close", lock);
  };
  // From here on nobody takes the layers away; before, somebody may have done so.
  if (!use.layers.every((layer) => exists(`${root}/${layer}`))) {
    await remove();
    throw new (await import("./image_gone.ts")).ImageGoneError();
  }
  const keepUpper = (fd: number) => {
    kept = keepUpperInMemory(path, fd);
  };
  return { name, path, scratch: `${name}/rw`, mayRefuseUpper: mayRefuseUpper(lock), keepUpper, remove };
}

interface Place {
  readonly path: string;
  readonly use: ContainerUse;
}

/**
 * While a directory is made and not locked yet, nobody may look for stale ones, or for what containers use: that is
 * what the parent's lock says.
 */
function makeLocked(root: string, { path, use }: Place): number {
  const parent = openContainers(root);
  try {
    call("flock", parent, LOCK_SH);
    call("mkdirat", AT_FDCWD, cstr(path), 0o711);
    const directory = call("openat", AT_FDCWD, cstr(path), O_DIRECTORY | O_CLOEXEC);
    call("flock", directory, LOCK_EX | LOCK_NB);
    writeSmallFile(`${path}/${USE_FILE}`, JSON.stringify(use), 0o600);
    return directory;
  } finally {
    call("close", parent);
  }
}

/** Opens the directory of all containers, and makes it when it is missing. */
export function openContainers(root: string): number {
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
  [USE_FILE, 0],
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

async function removeTree(path: string, idMaps: IdMaps | undefined): Promise<void> {
  await (await import("./remove_owned_tree.ts")).removeOwnedTree(path, idMaps);
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
      // First, as by the engine itself: whoever reads the container's layer sees by it that it is whole.
      callRaw("unlinkat", stale.lock, cstr(USE_FILE), 0);
      await removeTree(`${root}/${CONTAINERS}/${stale.name}`, idMaps);
      call("close", stale.lock);
    }
  } finally {
    call("close", parent);
  }
}
