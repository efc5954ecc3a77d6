/**
 * Locks between processes: flock(2) on a file. The kernel releases them when their holder dies, however it dies.
 */

import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { EAGAIN } from "../linux/abi/errno.ts";
import { AT_FDCWD } from "../linux/abi/fcntl.ts";
import { LOCK_EX, LOCK_NB, LOCK_SH } from "../linux/abi/file.ts";
import { SyscallError } from "../linux/call.ts";
import { tryFlock, tryStatx } from "../linux/file.ts";
import { presentOrThrow } from "./absent.ts";

/** First and longest wait between two tries. */
const POLL_MS_MIN = 5;
const POLL_MS_MAX = 200;

/** How a lock is waited for; defaults in brackets. */
export interface LockOptions {
  /** Held together with other shared ones [exclusive]. */
  readonly shared?: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Called once when another process has the lock. */
  readonly onWait?: () => void;
}

/** A held lock; released by disposing of it. */
export class Lock implements Disposable {
  #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** Takes the lock of `path`, a directory or a file, which is created, if it is free. @returns undefined when another has it */
  static tryTake(path: string, options: { readonly shared?: boolean } = {}): Lock | undefined {
    for (;;) {
      const fd = openLockFile(path);
      let result: number;
      try {
        result = tryFlock(fd, (options.shared === true ? LOCK_SH : LOCK_EX) | LOCK_NB);
        if (result === 0 && isAt(path, fd)) return new Lock(fd);
      } catch (error) {
        closeSync(fd);
        throw error;
      }
      closeSync(fd);
      if (result === -EAGAIN) return undefined;
      if (result !== 0) {
        throw new SyscallError({ name: "flock", text: `flock(${JSON.stringify(path)})`, errno: -result });
      }
    }
  }

  /** Waits for the lock of `path`. @throws the signal's reason when it is aborted meanwhile */
  static async take(path: string, options: LockOptions = {}): Promise<Lock> {
    for (let delayMs = 0; ; delayMs = Math.min(Math.max(POLL_MS_MIN, delayMs * 2), POLL_MS_MAX)) {
      options.signal?.throwIfAborted();
      const lock = Lock.tryTake(path, options);
      if (lock !== undefined) return lock;
      if (delayMs === 0) options.onWait?.();
      await Bun.sleep(delayMs);
    }
  }

  [Symbol.dispose](): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }
}

/** False when the file was removed, and perhaps made anew, between opening and locking: that lock holds nothing. */
function isAt(path: string, fd: number): boolean {
  const named = presentOrThrow(tryStatx(AT_FDCWD, path), { name: "statx", path });
  const locked = presentOrThrow(tryStatx(fd, ""), { name: "statx", path });
  return named !== undefined && named.identity === locked?.identity;
}

function openLockFile(path: string): number {
  try {
    return openSync(path, "a", 0o600);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EISDIR") return openSync(path, "r");
    if (code !== "ENOENT") throw error;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    return openSync(path, "a", 0o600);
  }
}
