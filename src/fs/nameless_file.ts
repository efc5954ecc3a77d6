/**
 * Files that get their name when they are whole. Until then they have none (O_TMPFILE, open(2)), so that whatever ends the
 * process, nothing is left. File systems that cannot do so get a file `.tmp-bunker-…`, locked by its writer: when its lock is
 * free, the writer is gone, and the next one removes it. So it is for a moment with a file that replaces another.
 */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { EEXIST, EINVAL, EISDIR, EOPNOTSUPP } from "../linux/abi/errno.ts";
import {
  AT_FDCWD,
  AT_SYMLINK_FOLLOW,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_RDONLY,
  O_RDWR,
  O_TMPFILE,
} from "../linux/abi/fcntl.ts";
import { LOCK_EX, LOCK_NB } from "../linux/abi/file.ts";
import { SyscallError } from "../linux/call.ts";
import { close, tryFlock, tryLinkat, tryOpenat } from "../linux/file.ts";
import { isTemporary, TEMPORARY } from "./atomic.ts";

/** Of what is read by anybody. */
const MODE = 0o666;
/** What file systems and kernels answer that know no nameless files. */
const UNKNOWN: readonly number[] = [-EOPNOTSUPP, -EISDIR, -EINVAL];

/** A file to be written; without a name it is gone when it is disposed of. */
export class NamelessFile implements Disposable {
  readonly #fd: number;
  #temporary: string | undefined;

  private constructor(fd: number, temporary: string | undefined) {
    this.#fd = fd;
    this.#temporary = temporary;
  }

  /**
   * @param directory on the file system of the later name
   * @param mode before the umask
   * @throws {SyscallError} and node:fs errors
   */
  static create(directory: string, mode = MODE): NamelessFile {
    const fd = tryOpenat(AT_FDCWD, directory, { flags: O_TMPFILE | O_RDWR, mode });
    if (fd >= 0) return new NamelessFile(fd, undefined);
    if (UNKNOWN.includes(fd)) return NamelessFile.#createNamed(directory, mode);
    throw new SyscallError({
      name: "openat",
      text: `openat(${JSON.stringify(directory)}, O_TMPFILE)`,
      errno: -fd,
    });
  }

  static #createNamed(directory: string, mode: number): NamelessFile {
    removeStale(directory);
    const path = temporaryIn(directory);
    const fd = openSync(path, "wx", mode);
    if (tryFlock(fd, LOCK_EX | LOCK_NB) === 0 && existsSync(path)) return new NamelessFile(fd, path);
    // Somebody who looked for what is left behind was quicker.
    closeSync(fd);
    return NamelessFile.#createNamed(directory, mode);
  }

  /** Open for writing until it is disposed of. */
  get fd(): number {
    return this.#fd;
  }

  /** @throws node:fs errors: ENOSPC */
  write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) done += writeSync(this.#fd, bytes, done);
  }

  /** Has the disk keep what was written. */
  flush(): void {
    fsyncSync(this.#fd);
  }

  /** Gives the file its name, in place of what is there: at no time is nothing there. Not flushed. @throws {SyscallError} */
  link(path: string): void {
    if (this.#temporary === undefined) {
      if (this.#tryLink(path)) return;
      // No call puts a nameless file in the place of another; rename(2) does so with one that has a name.
      this.#temporary = this.#linkBeside(path);
    }
    renameSync(this.#temporary, path);
    this.#temporary = undefined;
  }

  /** @returns the temporary name, locked as others are that have one */
  #linkBeside(path: string): string {
    const directory = dirname(path);
    removeStale(directory);
    tryFlock(this.#fd, LOCK_EX | LOCK_NB);
    const temporary = temporaryIn(directory);
    if (!this.#tryLink(temporary)) throw new Error(`Cannot happen: "${temporary}" exists`);
    return temporary;
  }

  /** @returns false when something has that name */
  #tryLink(path: string): boolean {
    const own = { dirfd: AT_FDCWD, path: `/proc/self/fd/${this.#fd}` };
    const result = tryLinkat(own, { dirfd: AT_FDCWD, path }, AT_SYMLINK_FOLLOW);
    if (result === 0 || result === -EEXIST) return result === 0;
    const text = `linkat(${JSON.stringify(own.path)}, ${JSON.stringify(path)})`;
    throw new SyscallError({ name: "linkat", text, errno: -result });
  }

  [Symbol.dispose](): void {
    if (this.#temporary !== undefined) rmSync(this.#temporary, { force: true });
    closeSync(this.#fd);
  }
}

const temporaryIn = (directory: string): string =>
  `${directory}/${TEMPORARY}${randomBytes(8).toString("hex")}`;

/** The directory may be anybody's: only files with exactly such a name, and nothing that opening does something to. */
function removeStale(directory: string): void {
  for (const name of namesIn(directory)) {
    if (isTemporary(name)) removeUnlocked(`${directory}/${name}`);
  }
}

function removeUnlocked(path: string): void {
  const fd = tryOpenat(AT_FDCWD, path, { flags: O_RDONLY | O_NOFOLLOW | O_NONBLOCK });
  // Its writer has given it a name meanwhile, or it is somebody else's.
  if (fd < 0) return;
  try {
    if (fstatSync(fd).isFile() && tryFlock(fd, LOCK_EX | LOCK_NB) === 0) unlinkSync(path);
  } catch {
    // Somebody else's, in /tmp perhaps: it is in nobody's way.
  } finally {
    close(fd);
  }
}

/** None where the directory may be written to and not be read. */
function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EACCES") return [];
    throw error;
  }
}
