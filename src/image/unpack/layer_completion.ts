/**
 * Completes one layer from those below it. Overlayfs shows a directory with the attributes of its topmost layer, so one
 * that no entry described must look as it does below; where it is a symlink below, what lies in it belongs to the
 * symlink's target. A hard link to a file of a lower layer needs that file in this one.
 */
import { presentOrThrow } from "../../fs/absent.ts";
import { type ByteString, cBytes } from "../../fs/byte_string.ts";
import {
  type CopyOptions,
  copyAttributes,
  copyDirectory,
  copyNode,
  isDirectory,
} from "../../fs/copy_node.ts";
import { isWhiteout } from "../../fs/copy_tree.ts";
import { removeTree } from "../../fs/remove_tree.ts";
import { AT_REMOVEDIR, O_DIRECTORY, O_NOFOLLOW, O_RDONLY, S_IFMT } from "../../linux/abi/fcntl.ts";
import { S_IFLNK } from "../../linux/abi/file.ts";
import { SyscallError } from "../../linux/call.ts";
import {
  Fd,
  openat,
  readDirectory,
  renameat2,
  type Stat,
  tryLinkat,
  tryReadlinkat,
  tryUnlinkat,
  utimensat,
} from "../../linux/file.ts";
import type { MissingLink } from "./hard_links.ts";
import { LayerError, unpackError } from "./layer_error.ts";
import {
  type Found,
  joinPath,
  type LowerView,
  nameOf,
  openDirectory,
  parentOf,
  statBelow,
} from "./lower_view.ts";
import type { UnpackOptions } from "./options.ts";

const SYMLINKS_MAX = 40;
const EEXIST = 17;

/** Completes the layer in one directory from a view of those below. */
export class LayerCompletion {
  readonly #directory: string;
  readonly #view: LowerView;
  readonly #copy: CopyOptions;
  /** Directories whose content went elsewhere: from, to. */
  readonly #moves: Array<readonly [from: ByteString, to: ByteString]> = [];

  /** @param directory absolute path of the layer */
  constructor(directory: string, view: LowerView, options: UnpackOptions) {
    this.#directory = directory;
    this.#view = view;
    this.#copy = { ignoreOwners: options.owners === "single", skipDevices: options.devices === "skip" };
  }

  /** Gives a directory that no entry described what it has below; parents come before what is in them. */
  completeDirectory(impliedPath: ByteString): void {
    const path = this.#moved(impliedPath);
    const found = this.#view.find(path);
    const own = this.#stat(path);
    if (found === undefined || own === undefined || !isDirectory(own)) return;
    if (isDirectory(found.stat)) {
      this.#between(found, path, (from, to) =>
        copyAttributes(from, to, { stat: found.stat, options: this.#copy }),
      );
    } else if (isSymlink(found.stat)) {
      this.#moveToTarget(path);
    }
  }

  /** Makes a hard link whose target lies below. @throws {LayerError} when there is none */
  completeLink({ path, target, entry }: MissingLink): void {
    try {
      const directory = this.#resolve(parentOf(target), false);
      const source = directory === undefined ? undefined : joinPath(directory, nameOf(target));
      if (source === undefined || !this.#bringUp(source)) {
        throw new LayerError(entry, "it is a hard link to something that does not exist");
      }
      this.#link(source, this.#moved(path));
    } catch (error) {
      throw unpackError(entry, error);
    }
  }

  /** Makes sure that this layer itself has the file. @returns false when there is none, or it is a directory */
  #bringUp(path: ByteString): boolean {
    const own = this.#stat(path);
    if (own !== undefined) return !isDirectory(own) && !isWhiteout(own);
    const found = this.#view.find(path);
    if (found === undefined || isDirectory(found.stat)) return false;
    this.#makeDirectories(parentOf(path));
    this.#keepingTimes(parentOf(path), () =>
      this.#between(found, path, (from, to) => copyNode(from, to, { stat: found.stat, options: this.#copy })),
    );
    return true;
  }

  #link(from: ByteString, to: ByteString): void {
    using source = this.#open(parentOf(from));
    using target = this.#open(parentOf(to));
    const result = this.#keepingTimes(parentOf(to), () =>
      tryLinkat(
        { dirfd: source.number, path: cBytes(nameOf(from)) },
        { dirfd: target.number, path: cBytes(nameOf(to)) },
      ),
    );
    if (result === 0 || result === -EEXIST) return;
    throw new SyscallError({ name: "linkat", text: `linkat(${JSON.stringify(from)})`, errno: -result });
  }

  /** Where `path` is a symlink below, moves what this layer has in it to where the symlink leads. */
  #moveToTarget(path: ByteString): void {
    const target = this.#resolve(path, true);
    // A symlink to nothing, or into itself: the directory then takes its place.
    if (target === undefined || target === path || target.startsWith(`${path}/`)) return;
    this.#makeDirectories(target);
    this.#keepingTimes(parentOf(path), () => {
      this.#keepingTimes(target, () => this.#merge(path, target));
      using parent = this.#open(parentOf(path));
      tryUnlinkat(parent.number, cBytes(nameOf(path)), AT_REMOVEDIR);
    });
    this.#moves.push([path, target]);
  }

  #merge(from: ByteString, to: ByteString): void {
    using source = this.#open(from);
    using target = this.#open(to);
    for (const { name } of this.#list(from)) {
      const path = cBytes(name);
      const present = this.#stat(joinPath(to, name));
      const moving = this.#stat(joinPath(from, name));
      if (present !== undefined && moving !== undefined && isDirectory(present) && isDirectory(moving)) {
        this.#merge(joinPath(from, name), joinPath(to, name));
        tryUnlinkat(source.number, path, AT_REMOVEDIR);
        continue;
      }
      if (present !== undefined) removeTree({ dirfd: target.number, path });
      renameat2({ dirfd: source.number, path }, { dirfd: target.number, path });
    }
  }

  /** Creates what is missing of a directory that exists below, as it is there. */
  #makeDirectories(path: ByteString): void {
    if (path === "" || this.#stat(path) !== undefined) return;
    const parent = parentOf(path);
    this.#makeDirectories(parent);
    const found = this.#view.find(path);
    if (found === undefined) throw new Error("Cannot happen: a directory of the layers below is gone");
    this.#keepingTimes(parent, () =>
      this.#between(found, path, (from, to) => {
        copyDirectory(from, to, { stat: found.stat, options: this.#copy });
      }),
    );
  }

  /**
   * The real path of a directory in the merged view of this layer and those below; undefined when it is none.
   * @param throughOwn true to look through this layer's own last component, at the symlink below it
   */
  #resolve(path: ByteString, throughOwn: boolean): ByteString | undefined {
    const rest = path.split("/").reverse();
    let at = "";
    let symlinks = 0;
    for (let name = rest.pop(); name !== undefined; name = rest.pop()) {
      if (name === "" || name === ".") continue;
      if (name === "..") {
        at = parentOf(at);
        continue;
      }
      const next = joinPath(at, name);
      const found = this.#lookUp(next, throughOwn && next === path);
      if (found === undefined) return undefined;
      if (isDirectory(found.stat)) {
        at = next;
        continue;
      }
      const target = isSymlink(found.stat) ? readLink(found.layer, next) : undefined;
      symlinks += 1;
      if (target === undefined || symlinks > SYMLINKS_MAX) return undefined;
      if (target.startsWith("/")) at = "";
      rest.push(...target.split("/").reverse());
    }
    return at;
  }

  #lookUp(path: ByteString, belowOnly: boolean): Found | undefined {
    const own = belowOnly ? undefined : this.#stat(path);
    if (own === undefined) return this.#view.find(path);
    return isWhiteout(own) ? undefined : { stat: own, layer: this.#directory };
  }

  #stat(path: ByteString): Stat | undefined {
    using parent = openDirectory(this.#directory, parentOf(path));
    return parent === undefined ? undefined : statBelow(parent, nameOf(path));
  }

  #open(path: ByteString): Fd {
    const fd = openDirectory(this.#directory, path);
    if (fd === undefined) throw new Error("Cannot happen: a directory of the layer is gone");
    return fd;
  }

  #list(path: ByteString): ReturnType<typeof readDirectory> {
    using directory = this.#open(path);
    using readable = new Fd(openat(directory.number, ".", { flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW }));
    return readDirectory(readable.number);
  }

  /** Calls `action` with the same path in the layer where it was found and in this one. */
  #between(
    { layer }: Found,
    path: ByteString,
    action: (from: { dirfd: number; name: ByteString }, to: { dirfd: number; name: ByteString }) => void,
  ): void {
    using from = openDirectory(layer, parentOf(path));
    using to = this.#open(parentOf(path));
    if (from === undefined) throw new Error("Cannot happen: a directory of a lower layer is gone");
    const name = nameOf(path);
    action({ dirfd: from.number, name }, { dirfd: to.number, name });
  }

  /** Changes a directory and gives it its times back. */
  #keepingTimes<Result>(path: ByteString, change: () => Result): Result {
    using directory = this.#open(path);
    const stat = statBelow(directory, "");
    const result = change();
    if (stat !== undefined) utimensat(directory.number, ".", stat);
    return result;
  }

  #moved(path: ByteString): ByteString {
    let moved = path;
    for (const [from, to] of this.#moves) {
      if (moved === from) moved = to;
      else if (moved.startsWith(`${from}/`)) moved = to + moved.slice(from.length);
    }
    return moved;
  }
}

const isSymlink = ({ mode }: Stat): boolean => (mode & S_IFMT) === S_IFLNK;

function readLink(layer: string, path: ByteString): ByteString | undefined {
  using parent = openDirectory(layer, parentOf(path));
  if (parent === undefined) return undefined;
  const target = tryReadlinkat(parent.number, cBytes(nameOf(path)));
  return presentOrThrow(target, { name: "readlinkat", path })?.toString("latin1");
}
