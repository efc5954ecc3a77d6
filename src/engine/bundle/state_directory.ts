/**
 * The directory of one container below the runtime's root: ROOT/ID. It holds plain files that a person can read:
 *
 *     state.json    who and where the container is (state_file.ts)
 *     config.json   the bundle's configuration as it was when the container was created
 *     exec.fifo     there while the container is created and not started: its program waits for a byte
 *     report        the page in which its program says what failed
 *
 * Whoever changes the container holds a lock on the directory; the kernel frees it when its holder dies, so a directory
 * that says "creating" and is not locked belongs to nobody.
 */
import { EAGAIN, EEXIST, ENOENT, ENOTDIR, ENOTEMPTY } from "../../linux/abi/errno.ts";
import { AT_FDCWD, AT_REMOVEDIR, O_CLOEXEC, O_DIRECTORY, O_RDONLY } from "../../linux/abi/fcntl.ts";
import { LOCK_EX, LOCK_NB } from "../../linux/abi/file.ts";
import { call, callRaw, cstr, SyscallError } from "../../linux/call.ts";
import { exists } from "../../linux/small_file.ts";
import { STAT_SIZE, statLinks } from "../../linux/stat.ts";
import { RuntimeError } from "./context.ts";

/** How long another process may take to finish with the container, and the pause between two looks. */
const LOCK_WAIT_MS_MAX = 10_000;
const LOCK_PAUSE_MS = 5;

const FILES = ["state.json", "state.json.new", "config.json", "exec.fifo", "report", "hook.json"] as const;

/** A container's directory, locked until it is disposed of. */
export class StateDirectory implements Disposable {
  readonly path: string;
  #fd: number;

  private constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
  }

  /** Makes the directory. @throws {RuntimeError} when a container of that id exists. */
  static create(root: string, id: string): StateDirectory {
    const path = `${root}/${id}`;
    let made = callRaw("mkdirat", AT_FDCWD, cstr(path), 0o711);
    if (made === -ENOENT) {
      makeRoot(root);
      made = callRaw("mkdirat", AT_FDCWD, cstr(path), 0o711);
    }
    if (made === -EEXIST) throw new RuntimeError("container with given ID already exists");
    if (made < 0) throw new SyscallError({ name: "mkdir", text: `mkdir("${path}")`, errno: -made });
    // Waits for whoever looks whether the new directory is locked, or deletes it.
    const directory = StateDirectory.#lock(path, LOCK_EX);
    if (directory === undefined) throw new RuntimeError("container was deleted while it was created");
    // Two may get here: one whose directory was deleted at once, and one that has made it again since.
    if (!exists(`${path}/state.json`)) return directory;
    directory[Symbol.dispose]();
    throw new RuntimeError("container with given ID already exists");
  }

  /** Opens and locks the directory of an existing container. @throws {RuntimeError} when there is none. */
  static async open(root: string, id: string): Promise<StateDirectory> {
    const end = performance.now() + LOCK_WAIT_MS_MAX;
    for (;;) {
      const directory = StateDirectory.tryOpen(root, id);
      if (directory !== undefined) return directory;
      if (performance.now() > end) throw new RuntimeError("container is busy: another process changes it");
      await Bun.sleep(LOCK_PAUSE_MS);
    }
  }

  /** Undefined when another process has the lock. @throws {RuntimeError} when there is no such container. */
  static tryOpen(root: string, id: string): StateDirectory | undefined {
    return StateDirectory.#lock(`${root}/${id}`, LOCK_EX | LOCK_NB);
  }

  /** Undefined when another process has the lock, or has removed the directory before this one got it. */
  static #lock(path: string, operation: number): StateDirectory | undefined {
    const fd = callRaw("openat", AT_FDCWD, cstr(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd === -ENOENT || fd === -ENOTDIR) throw new RuntimeError("container does not exist");
    if (fd < 0) throw new SyscallError({ name: "open", text: `open("${path}")`, errno: -fd });
    const locked = callRaw("flock", fd, operation);
    // The lock of a removed directory protects nothing: another container may have its name already.
    if (locked === 0 && !isRemoved(fd)) return new StateDirectory(path, fd);
    call("close", fd);
    if (locked === 0) return undefined;
    if (locked !== -EAGAIN) {
      throw new SyscallError({ name: "flock", text: `flock("${path}")`, errno: -locked });
    }
    return undefined;
  }

  /** Removes the directory with its files: the container does not exist any more. */
  async remove(): Promise<void> {
    for (const name of FILES) callRaw("unlinkat", this.#fd, cstr(name), 0);
    const removed = callRaw("unlinkat", AT_FDCWD, cstr(this.path), AT_REMOVEDIR);
    // Something that a killed engine has left, or a person.
    if (removed === -ENOTEMPTY) {
      const { rmSync } = await import("node:fs");
      rmSync(this.path, { recursive: true });
    } else if (removed < 0 && removed !== -ENOENT) {
      throw new SyscallError({ name: "rmdir", text: `rmdir("${this.path}")`, errno: -removed });
    }
  }

  [Symbol.dispose](): void {
    if (this.#fd >= 0) call("close", this.#fd);
    this.#fd = -1;
  }
}

/** A removed directory has no name left. */
function isRemoved(fd: number): boolean {
  const stat = new Uint8Array(new ArrayBuffer(STAT_SIZE));
  call("fstat", fd, stat);
  return statLinks(stat) === 0;
}

/** The runtime's root with its parents; others may pass, since a process in a user namespace has files below it. */
function makeRoot(root: string): void {
  const parts = root.split("/");
  for (let depth = 2; depth <= parts.length; depth++) {
    const made = callRaw("mkdirat", AT_FDCWD, cstr(parts.slice(0, depth).join("/")), 0o711);
    if (made < 0 && made !== -EEXIST) {
      throw new SyscallError({ name: "mkdir", text: `mkdir("${root}")`, errno: -made });
    }
  }
}
