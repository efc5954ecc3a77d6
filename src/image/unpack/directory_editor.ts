/** Changes a layer that is a directory: by descriptors beneath it, never through a symlink. */

import { presentOrThrow } from "../../fs/absent.ts";
import { tryOpenBeneath } from "../../fs/beneath.ts";
import { type ByteString, cBytes } from "../../fs/byte_string.ts";
import { type CopyOptions, copyAttributes, type NodePlace } from "../../fs/copy_node.ts";
import { removeTree } from "../../fs/remove_tree.ts";
import { EEXIST, ENOENT } from "../../linux/abi/errno.ts";
import { AT_FDCWD, AT_REMOVEDIR, O_DIRECTORY, O_NOFOLLOW, O_PATH, O_RDONLY } from "../../linux/abi/fcntl.ts";
import { SyscallError } from "../../linux/call.ts";
import {
  Fd,
  openat,
  readDirectory,
  renameat2,
  type Stat,
  tryLinkat,
  tryReadlinkat,
  tryStatx,
  tryUnlinkat,
  utimensat,
} from "../../linux/file.ts";
import { getxattr } from "../../linux/xattr.ts";
import { OPAQUE_FILE, WHITEOUT_FILE } from "../../oci/whiteout.ts";
import { kindOfStat } from "../tree/directory_files.ts";
import type { LayerNodeKind } from "../tree/layer_files.ts";
import { nameOf, parentOf } from "../tree/paths.ts";
import { type LayerSource, writeAttributes, writeDirectory, writeNode } from "../tree/write_node.ts";
import { Attributes } from "./attributes.ts";
import type { LayerEditor } from "./layer_editor.ts";
import type { UnpackOptions } from "./options.ts";

/** A layer's directory. */
export class DirectoryEditor implements LayerEditor {
  readonly #root: Fd;
  readonly #copy: CopyOptions;
  readonly #attributes: Attributes;
  readonly #hasMarks: boolean;

  /** @param directory absolute */
  constructor(directory: string, options: UnpackOptions) {
    this.#root = new Fd(openat(AT_FDCWD, directory, { flags: O_PATH | O_DIRECTORY | O_NOFOLLOW }));
    this.#attributes = new Attributes(options);
    this.#hasMarks = options.whiteouts !== "files";
    this.#copy = { ignoreOwners: options.owners === "single", skipDevices: options.devices === "skip" };
  }

  kindOf(path: ByteString): LayerNodeKind | undefined {
    using parent = this.#tryOpen(parentOf(path));
    if (parent === undefined) return undefined;
    const stat = statBelow(parent, nameOf(path));
    if (stat !== undefined) return kindOfStat(stat);
    const isHidden = !this.#hasMarks && statBelow(parent, WHITEOUT_FILE + nameOf(path)) !== undefined;
    return isHidden ? "whiteout" : undefined;
  }

  isMark(path: ByteString): boolean {
    const kind = this.kindOf(path);
    if (this.#hasMarks) return kind === "whiteout";
    const name = nameOf(path);
    return kind === "file" && name.startsWith(WHITEOUT_FILE) && name !== OPAQUE_FILE;
  }

  readLink(path: ByteString): ByteString {
    using parent = this.#open(parentOf(path));
    const target = tryReadlinkat(parent.number, cBytes(nameOf(path)));
    if (typeof target === "number") throw failure("readlinkat", path, target);
    return target.toString("latin1");
  }

  list(path: ByteString): readonly ByteString[] {
    using directory = this.#open(path);
    using readable = new Fd(openat(directory.number, ".", { flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW }));
    return readDirectory(readable.number).map(({ name }) => name);
  }

  describe(path: ByteString, source: LayerSource): void {
    using parent = this.#open(parentOf(path));
    writeAttributes(source, { dirfd: parent.number, name: nameOf(path) }, this.#copy);
  }

  describeAs(path: ByteString, model: ByteString): void {
    using source = this.#open(parentOf(model));
    using target = this.#open(parentOf(path));
    const stat = statBelow(source, nameOf(model));
    if (stat === undefined) throw failure("statx", model, -ENOENT);
    const from = { dirfd: source.number, name: nameOf(model) };
    copyAttributes(from, { dirfd: target.number, name: nameOf(path) }, { stat, options: this.#copy });
  }

  isOpaque(path: ByteString): boolean {
    using directory = this.#open(path);
    if (this.#hasMarks) return getxattr(placeOf(directory), this.#attributes.opaqueName)?.toString() === "y";
    if (statBelow(directory, OPAQUE_FILE) !== undefined) return true;
    // A whiteout beside it speaks of the directory below.
    using parent = this.#open(parentOf(path));
    return statBelow(parent, WHITEOUT_FILE + nameOf(path)) !== undefined;
  }

  markOpaque(path: ByteString): void {
    using directory = this.#open(path);
    // A whiteout that is a file of its own has been moved as such.
    if (this.#hasMarks) this.#attributes.setOpaque(placeOf(directory));
  }

  makeDirectory(path: ByteString, source: LayerSource): void {
    this.#in(path, (place) => writeDirectory(source, place, this.#copy));
  }

  copyFile(path: ByteString, source: LayerSource): boolean {
    return this.#in(path, (place) => writeNode(source, place, this.#copy));
  }

  link(from: ByteString, to: ByteString): void {
    using source = this.#open(parentOf(from));
    const first = { dirfd: source.number, path: cBytes(nameOf(from)) };
    const result = this.#in(to, ({ dirfd, name }) => tryLinkat(first, { dirfd, path: cBytes(name) }));
    if (result !== 0 && result !== -EEXIST) throw failure("linkat", from, result);
  }

  move(from: ByteString, to: ByteString): void {
    this.#in(from, (source) =>
      this.#in(to, (target) => {
        const path = cBytes(target.name);
        if (this.kindOf(to) !== undefined) removeTree({ dirfd: target.dirfd, path });
        renameat2({ dirfd: source.dirfd, path: cBytes(source.name) }, { dirfd: target.dirfd, path });
      }),
    );
  }

  removeDirectory(path: ByteString): void {
    this.#in(path, ({ dirfd, name }) => tryUnlinkat(dirfd, cBytes(name), AT_REMOVEDIR));
  }

  removeFile(path: ByteString): void {
    this.#in(path, ({ dirfd, name }) => tryUnlinkat(dirfd, cBytes(name), 0));
  }

  finish(): void {
    // Everything is on the disk already.
  }

  [Symbol.dispose](): void {
    this.#root[Symbol.dispose]();
  }

  /** Changes the directory that a path lies in and gives it its times back. */
  #in<Result>(path: ByteString, change: (place: NodePlace) => Result): Result {
    using directory = this.#open(parentOf(path));
    const stat = statBelow(directory, "");
    const result = change({ dirfd: directory.number, name: nameOf(path) });
    if (stat !== undefined) utimensat(directory.number, ".", stat);
    return result;
  }

  #open(path: ByteString): Fd {
    const fd = this.#tryOpen(path);
    if (fd === undefined) throw new Error("Cannot happen: a directory of the layer is gone");
    return fd;
  }

  #tryOpen(path: ByteString): Fd | undefined {
    const fd = tryOpenBeneath(this.#root.number, path);
    return presentOrThrow(fd < 0 ? fd : new Fd(fd), { name: "openat2", path });
  }
}

/** Extended attributes are not read by a descriptor of O_PATH; the dot, since the descriptor itself is a symlink. */
const placeOf = ({ number }: Fd): string => `/proc/self/fd/${number}/.`;

/** Looks a name up without following a symlink. @throws {SyscallError} when it cannot be known whether it is there */
function statBelow({ number }: Fd, name: ByteString): Stat | undefined {
  return presentOrThrow(tryStatx(number, cBytes(name)), { name: "statx", path: name });
}

function failure(name: string, path: ByteString, result: number): SyscallError {
  return new SyscallError({ name, text: `${name}(${JSON.stringify(path)})`, errno: -result });
}
