/**
 * The directory of one container: `ROOT/c/ID`, with the overlay's `upper` and `work` in its `rw`. It is locked while its engine
 * lives; a directory whose lock is free is what a SIGKILL left, and the next container's engine removes it.
 */
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { O_CLOEXEC, O_DIRECTORY, AT_FDCWD } from "../linux/abi/fcntl.ts";
import { EAGAIN } from "../linux/abi/errno.ts";
import { call, callRaw, cstr } from "../linux/call.ts";

/** Directory of all containers, relative to the data root; short, since mount options name it. */
export const CONTAINERS = "c";
const LOCK_EX = 2;
const LOCK_NB = 4;

/** A container's directory. */
export interface ContainerDirectory {
  /** Relative to the data root. */
  readonly name: string;
  readonly path: string;
  /** Holds the overlay's `upper` and `work`; relative to the data root. */
  readonly scratch: string;
  /** Removes it with all that the container wrote. */
  remove(): void;
}

/** Makes and locks the directory of container `id` (12 hex digits or more). */
export function createContainerDirectory(root: string, id: string): ContainerDirectory {
  const name = `${CONTAINERS}/${id.slice(0, 12)}`;
  const path = `${root}/${name}`;
  mkdirSync(`${root}/${CONTAINERS}`, { recursive: true, mode: 0o711 });
  mkdirSync(path, 0o711);
  const fd = call("openat", AT_FDCWD, cstr(path), O_DIRECTORY | O_CLOEXEC);
  call("flock", fd, LOCK_EX | LOCK_NB);
  mkdirSync(`${path}/rw`, 0o755);
  mkdirSync(`${path}/rw/upper`, 0o755);
  mkdirSync(`${path}/rw/work`, 0o755);
  return { name, path, scratch: `${name}/rw`, remove: () => removeTree(path) };
}

/** Removes the directories of containers whose engine is gone. Costs one readdir when there are none. */
export function removeStaleContainers(root: string, own: string): void {
  for (const name of readdirSync(`${root}/${CONTAINERS}`)) {
    const path = `${root}/${CONTAINERS}/${name}`;
    if (own.endsWith(name)) continue;
    const fd = callRaw("openat", AT_FDCWD, cstr(path), O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) continue;
    try {
      if (callRaw("flock", fd, LOCK_EX | LOCK_NB) !== -EAGAIN) removeTree(path);
    } finally {
      call("close", fd);
    }
  }
}

function removeTree(path: string): void {
  rmSync(path, { recursive: true, force: true });
}
