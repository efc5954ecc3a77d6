/** Making the directories of a group: with those above where they are missing, never over a group that is in use. */
import { EEXIST, ENOENT } from "../../linux/abi/errno.ts";
import { AT_FDCWD } from "../../linux/abi/fcntl.ts";
import { callRaw, cstr, SyscallError } from "../../linux/call.ts";
import { CgroupError } from "./cgroup_error.ts";
import { isFrozen } from "./frozen.ts";
import type { CgroupPlace } from "./place.ts";
import { processesBelow } from "./processes.ts";
import { removeDirectories } from "./remove.ts";

/** A group above may be removed by another engine between its making and ours below it. */
const ATTEMPTS_MAX = 20;

/** The directories of one group while it is made. */
export class GroupDirectories {
  readonly #place: CgroupPlace;
  readonly #adopts: boolean;
  readonly #made = new Set<string>();
  readonly #parents: string[] = [];

  /** @param adopts takes directories that exist whatever is in them: systemd has made them for us */
  constructor(place: CgroupPlace, adopts = false) {
    this.#place = place;
    this.#adopts = adopts;
  }

  /** Directories above that were made, the deepest first. */
  get parents(): readonly string[] {
    return this.#parents;
  }

  /**
   * Makes one directory; one that is there already is taken when it is empty and not frozen, as runc does.
   * @returns 0, or the error number of mkdir(2)
   * @throws {CgroupError} for a group in use
   */
  make(path: string): number {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const result = mkdir(path);
      if (result === 0) {
        this.#made.add(path);
        return 0;
      }
      if (result === -EEXIST) {
        if (!this.#adopts) this.#refuseUsed(path);
        return 0;
      }
      if (result !== -ENOENT) return -result;
      const above = this.#makeParents(path);
      if (above !== 0) return above;
    }
    return ENOENT;
  }

  /** Whether the directory was made here, and not taken over. */
  isNew(path: string): boolean {
    return this.#made.has(path);
  }

  /** Removes what was made. */
  undo(): void {
    const directories = Object.fromEntries([...this.#made].map((path) => [path, path]));
    removeDirectories({ ...this.#place, directories, parents: this.#parents });
  }

  #makeParents(path: string): number {
    for (let end = path.indexOf("/", 1); end > 0; end = path.indexOf("/", end + 1)) {
      const parent = path.slice(0, end);
      const result = mkdir(parent);
      if (result === 0) this.#parents.unshift(parent);
      // A read-only mount above says EROFS of what exists, a foreign one EACCES: what follows decides.
      else if (result === -ENOENT) return ENOENT;
    }
    return 0;
  }

  #refuseUsed(path: string): void {
    const count = processesBelow(path).length;
    if (count > 0) {
      throw new CgroupError(
        `Cannot use the control group "${path}": it is not empty, it has ${count} processes`,
      );
    }
    if (!Object.values(this.#place.directories).includes(path)) return;
    const { version, directories } = this.#place;
    const freezes = path === directories[version === 2 ? "" : "freezer"];
    if (freezes && isFrozen(this.#place))
      throw new CgroupError(`Cannot use the control group "${path}": it is frozen`);
  }
}

const mkdir = (path: string): number => callRaw("mkdirat", AT_FDCWD, cstr(path), 0o755);

/** mkdir(2) of a group's directory failed. */
export const mkdirError = (path: string, errno: number): SyscallError =>
  new SyscallError({ name: "mkdir", text: `mkdir(${JSON.stringify(path)})`, errno });
