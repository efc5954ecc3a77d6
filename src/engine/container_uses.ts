/** Which images and layers the running containers use: as each has written it into its directory. */
import { EAGAIN } from "../linux/abi/errno.ts";
import { O_CLOEXEC, O_DIRECTORY, O_NOFOLLOW } from "../linux/abi/fcntl.ts";
import { LOCK_EX, LOCK_NB } from "../linux/abi/file.ts";
import { call, callRaw, cstr } from "../linux/call.ts";
import { close, readDirectory, tryFlock } from "../linux/file.ts";
import { readSmallText } from "../linux/small_file.ts";
import { CONTAINERS, type ContainerUse, openContainers, USE_FILE } from "./container_directory.ts";

/** A container that runs, or is about to. */
export interface RunningContainer extends ContainerUse {
  /** Twelve hex digits. */
  readonly id: string;
}

/** No container starts to use anything until this is disposed of; those that run go on. */
export interface ContainerUses extends Disposable {
  readonly containers: readonly RunningContainer[];
}

/** Looks at all containers of a store and keeps new ones waiting; to be held for moments only. */
export function holdContainers(root: string): ContainerUses {
  const parent = openContainers(root);
  try {
    call("flock", parent, LOCK_EX);
    const containers = readDirectory(parent).flatMap(({ name }) => useOf(root, parent, name));
    return { containers, [Symbol.dispose]: () => close(parent) };
  } catch (error) {
    close(parent);
    throw error;
  }
}

/** @returns nothing for the directory of a container whose engine is gone */
function useOf(root: string, parent: number, id: string): RunningContainer[] {
  const directory = callRaw("openat", parent, cstr(id), O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (directory < 0) return [];
  try {
    if (tryFlock(directory, LOCK_EX | LOCK_NB) !== -EAGAIN) return [];
    const text = readSmallText(`${root}/${CONTAINERS}/${id}/${USE_FILE}`);
    return text === undefined ? [] : [{ id, ...(JSON.parse(text) as ContainerUse) }];
  } finally {
    close(directory);
  }
}
