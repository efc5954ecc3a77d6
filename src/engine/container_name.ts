/**
 * `--name`: one container of a name at a time. A name is a locked file in the state directory; the lock goes with its
 * process, so a name is free again however that ended.
 */

import { fstatSync, mkdirSync, statSync, unlinkSync } from "node:fs";
import { BunkerError } from "../errors.ts";
import { EAGAIN } from "../linux/abi/errno.ts";
import { AT_FDCWD, O_CLOEXEC, O_CREAT, O_NOFOLLOW, O_RDWR } from "../linux/abi/fcntl.ts";
import { LOCK_EX, LOCK_NB } from "../linux/abi/file.ts";
import { call, callRaw, cstr } from "../linux/call.ts";

/** The name belongs to a running container. */
export class NameInUseError extends BunkerError {
  readonly code = "NAME_IN_USE";
}

/** Takes the name until it is disposed of. @throws {NameInUseError} when a running container has it. */
export function claimName(name: string, state: string): Disposable {
  const path = `${state}/name-${name}`;
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const fd = lockFile(path);
  if (fd === undefined) {
    throw new NameInUseError(`Cannot name the container "${name}": a running container has that name`, {
      hint: "Choose another name, or wait until that container has ended",
    });
  }
  return {
    [Symbol.dispose]: () => {
      unlinkSync(path);
      call("close", fd);
    },
  };
}

/** Opens and locks the file; undefined when another has the lock. */
function lockFile(path: string): number | undefined {
  for (;;) {
    const fd = call("openat", AT_FDCWD, cstr(path), O_CREAT | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0o600);
    const locked = callRaw("flock", fd, LOCK_EX | LOCK_NB) !== -EAGAIN;
    // Between opening and locking, the file's owner may have removed it: a lock on a file without a name is none.
    if (locked && fstatSync(fd).ino === statSync(path, { throwIfNoEntry: false })?.ino) return fd;
    call("close", fd);
    if (!locked) return undefined;
  }
}
