/** Finds what killed engines left: directories of containers that nobody holds the lock of. */

import { EAGAIN } from "../linux/abi/errno.ts";
import { O_CLOEXEC, O_DIRECTORY, O_NOFOLLOW } from "../linux/abi/fcntl.ts";
import { LOCK_EX, LOCK_NB, LOCK_UN } from "../linux/abi/file.ts";
import { callRaw, cstr } from "../linux/call.ts";
import { close, readDirectory, tryFlock } from "../linux/file.ts";

/** A directory that is now this process's to remove. */
export interface StaleContainer {
  readonly name: string;
  readonly lock: number;
}

/**
 * Locks every stale directory below `parent`; none when another process is making one at the moment. The lock on
 * `parent` is held only while looking: removing may take long, and containers are to start meanwhile.
 */
export function lockStale(parent: number, own: string): readonly StaleContainer[] {
  if (tryFlock(parent, LOCK_EX | LOCK_NB) === -EAGAIN) return [];
  const stale = readDirectory(parent).flatMap(({ name }) => (name === own ? [] : lockOne(parent, name)));
  tryFlock(parent, LOCK_UN);
  return stale;
}

function lockOne(parent: number, name: string): StaleContainer[] {
  const lock = callRaw("openat", parent, cstr(name), O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (lock < 0) return [];
  if (tryFlock(lock, LOCK_EX | LOCK_NB) === 0) return [{ name, lock }];
  close(lock);
  return [];
}
