/** Which images and layers the running containers use: as each has written it into its directory. */
import { EAGAIN, ELOOP, ENOENT, ENOTDIR } from "../linux/abi/errno.ts";
import { O_CLOEXEC, O_DIRECTORY, O_NOFOLLOW } from "../linux/abi/fcntl.ts";
import { LOCK_EX, LOCK_NB } from "../linux/abi/file.ts";
import { call, callRaw, cstr, SyscallError } from "../linux/call.ts";
import { close, readDirectory, tryFlock } from "../linux/file.ts";
import { readSmallText } from "../linux/small_file.ts";
import { CONTAINERS, type ContainerUse, openContainers, USE_FILE } from "./container_directory.ts";

/** Removed meanwhile, or something else than a directory. */
const NO_CONTAINER: readonly number[] = [ENOENT, ENOTDIR, ELOOP];

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

/**
 * @returns nothing for the directory of a container whose engine is gone
 * @throws {SyscallError} when that cannot be known: what it uses must not be taken for garbage
 */
function useOf(root: string, parent: number, id: string): RunningContainer[] {
  const directory = callRaw("openat", parent, cstr(id), O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (NO_CONTAINER.includes(-directory)) return [];
  if (directory < 0) throw refused("openat", { root, id, errno: -directory });
  try {
    const locked = tryFlock(directory, LOCK_EX | LOCK_NB);
    if (locked === 0) return [];
    if (locked !== -EAGAIN) throw refused("flock", { root, id, errno: -locked });
    const text = readSmallText(`${root}/${CONTAINERS}/${id}/${USE_FILE}`);
    return text === undefined ? [] : [{ id, ...(JSON.parse(text) as ContainerUse) }];
  } finally {
    close(directory);
  }
}

interface Refused {
  readonly root: string;
  readonly id: string;
  readonly errno: number;
}

const refused = (name: string, { root, id, errno }: Refused): SyscallError =>
  new SyscallError({ name, text: `${name}(${JSON.stringify(`${root}/${CONTAINERS}/${id}`)})`, errno });
