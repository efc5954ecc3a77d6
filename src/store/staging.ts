/**
 * Directories for work in progress. Each has a lock that its maker holds: when the lock is free, the maker is gone and
 * the directory is garbage, which the next command removes.
 */
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, unlinkSync } from "node:fs";
import { Lock } from "../fs/lock.ts";
import { removeTree } from "../fs/remove_tree.ts";
import { AT_FDCWD } from "../linux/abi/fcntl.ts";

const LOCK_SUFFIX = ".lock";

/** A directory `ROOT/tmp/ID`, removed when disposed of. */
export class Staging implements Disposable {
  readonly path: string;
  readonly #lock: Lock;

  private constructor(path: string, lock: Lock) {
    this.path = path;
    this.#lock = lock;
  }

  /** @param root an open store */
  static create(root: string): Staging {
    const path = `${root}/tmp/${randomBytes(8).toString("hex")}`;
    // The lock first: between the two, the directory would look abandoned. Another process may hold it for a
    // moment, to find out that there is nothing to remove.
    const lock = Lock.tryTake(path + LOCK_SUFFIX);
    if (lock === undefined) return Staging.create(root);
    try {
      mkdirSync(path, { mode: 0o700 });
      return new Staging(path, lock);
    } catch (error) {
      unlinkSync(path + LOCK_SUFFIX);
      lock[Symbol.dispose]();
      throw error;
    }
  }

  /** Lets go of the directory as it is: garbage from then on, which {@link removeAbandoned} removes. */
  abandon(): void {
    this.#lock[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    removeTree({ dirfd: AT_FDCWD, path: this.path });
    unlinkSync(this.path + LOCK_SUFFIX);
    this.#lock[Symbol.dispose]();
  }
}

/**
 * Removes what processes that died, or called {@link Staging.abandon}, have left in `ROOT/tmp`.
 * @param remove how, where this process may not remove everything by itself
 * @returns the number of directories and files removed
 */
export async function removeAbandoned(
  root: string,
  remove: (path: string) => Promise<void> | void = (path) => removeTree({ dirfd: AT_FDCWD, path }),
): Promise<number> {
  let removed = 0;
  for (const id of abandonable(`${root}/tmp`)) {
    const path = `${root}/tmp/${id}`;
    using lock = Lock.tryTake(path + LOCK_SUFFIX);
    if (lock === undefined) continue;
    await remove(path);
    removeTree({ dirfd: AT_FDCWD, path: path + LOCK_SUFFIX });
    removed += 1;
  }
  return removed;
}

/** True when something lies in `ROOT/tmp`, in somebody's hands or not. */
export const hasWork = (root: string): boolean => readdirSync(`${root}/tmp`).length > 0;

function abandonable(directory: string): Set<string> {
  const names = readdirSync(directory);
  return new Set(
    names.map((name) => (name.endsWith(LOCK_SUFFIX) ? name.slice(0, -LOCK_SUFFIX.length) : name)),
  );
}
