/** A layer as a directory, in the form that overlayfs takes as a lower layer. */

import { presentOrThrow } from "../../fs/absent.ts";
import { type ByteString, cBytes } from "../../fs/byte_string.ts";
import { EEXIST } from "../../linux/abi/errno.ts";
import {
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_RDONLY,
  O_WRONLY,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
} from "../../linux/abi/fcntl.ts";
import { SyscallError } from "../../linux/call.ts";
import {
  close,
  Fd,
  ftruncate,
  mkdirat,
  mknodat,
  openat,
  pwriteAll,
  startWriting,
  symlinkat,
  tryLinkat,
  tryOpenat,
  tryStatx,
} from "../../linux/file.ts";
import { OPAQUE_FILE, WHITEOUT_FILE } from "../../oci/whiteout.ts";
import type { TarEntry } from "../tar/entry.ts";
import { Attributes, type Skipped, setTimes, timesOf } from "./attributes.ts";
import { LayerDirectory } from "./layer_directory.ts";
import type { LayerTarget, TreePlace } from "./layer_target.ts";
import { type DirectoryNode, directoriesOf } from "./layer_tree.ts";
import type { UnpackOptions } from "./options.ts";

const NEW_FILE = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
const MARK = { flags: O_WRONLY | O_CREAT, mode: 0o600 };

/** Files from this size on begin to be written to the disk at once, so that the flush at the end waits for less. */
const EARLY_FLUSH_MIN = 1 << 20;

/** Writes one layer below an open directory. */
export class DirectoryTarget implements LayerTarget {
  readonly #directory: LayerDirectory;
  readonly #attributes: Attributes;
  readonly #form: UnpackOptions["whiteouts"];
  /** The file whose data follows. */
  #entry: TarEntry | undefined;
  #fd = -1;
  #written = 0;

  /** @param rootFd an empty directory, open for reading; stays the caller's */
  constructor(rootFd: number, options: UnpackOptions) {
    this.#directory = new LayerDirectory(rootFd);
    this.#attributes = new Attributes(options);
    this.#form = options.whiteouts;
  }

  get skipped(): Skipped {
    return this.#attributes.skipped;
  }

  createFile(parent: DirectoryNode, name: ByteString, entry: TarEntry): void {
    const how = { flags: NEW_FILE, mode: this.#attributes.creationMode(entry.mode) };
    const fd = tryOpenat(this.#directory.open(parent), cBytes(name), how);
    if (fd < 0) throw failure("openat", `openat(${JSON.stringify(name)}, O_CREAT)`, fd);
    this.#fd = fd;
    this.#entry = entry;
    this.#written = 0;
  }

  write(bytes: Uint8Array, offset: number): void {
    pwriteAll(this.#fd, bytes, offset);
    this.#written = offset + bytes.length;
  }

  finishFile(): void {
    const fd = this.#fd;
    const entry = this.#entry;
    if (entry === undefined) return;
    try {
      // A file that ends in a hole.
      if (this.#written < entry.size) ftruncate(fd, entry.size);
      this.#attributes.setOnFile(fd, entry);
      setTimes(fd, null, timesOf(entry));
      if (this.#written >= EARLY_FLUSH_MIN) startWriting(fd, 0, 0);
    } finally {
      this.#closeFile();
    }
  }

  makeDirectory({ parent, name }: DirectoryNode, mode: number): void {
    if (parent !== undefined) mkdirat(this.#directory.open(parent), cBytes(name), mode & 0o777);
  }

  describeDirectory(node: DirectoryNode, entry: TarEntry, isNew: boolean): void {
    const target = this.#targetOf(node);
    if (!isNew) this.#attributes.reset(target, entry.mode);
    this.#attributes.setOnName(target, entry);
  }

  setImpliedMode(node: DirectoryNode, mode: number): void {
    this.#attributes.setImplied(this.#targetOf(node), mode);
  }

  describeRoot(entry: TarEntry): void {
    const root = { dirfd: this.#directory.rootFd, name: "." };
    this.#attributes.reset(root, entry.mode);
    this.#attributes.setOnName(root, entry);
  }

  createSymlink(parent: DirectoryNode, name: ByteString, entry: TarEntry): void {
    symlinkat(cBytes(entry.linkPath), this.#directory.open(parent), cBytes(name));
    this.#setAttributes(parent, name, entry);
  }

  createNode(parent: DirectoryNode, name: ByteString, entry: TarEntry): void {
    const { type, mode, major, minor } = entry;
    const typeBits = type === "fifo" ? S_IFIFO : type === "char" ? S_IFCHR : S_IFBLK;
    mknodat(this.#directory.open(parent), cBytes(name), { mode: typeBits | (mode & 0o777), major, minor });
    this.#setAttributes(parent, name, entry);
  }

  link(from: TreePlace, to: TreePlace): number {
    if (from.directory === to.directory) {
      const dirfd = this.#directory.open(to.directory);
      return tryLinkat({ dirfd, path: cBytes(from.name) }, { dirfd, path: cBytes(to.name) });
    }
    using source = this.#directory.openSecond(from.directory);
    const dirfd = this.#directory.open(to.directory);
    return tryLinkat({ dirfd: source.number, path: cBytes(from.name) }, { dirfd, path: cBytes(to.name) });
  }

  exists(parent: DirectoryNode, name: ByteString): boolean {
    const stat = tryStatx(this.#directory.open(parent), cBytes(name));
    return presentOrThrow(stat, { name: "statx", path: name }) !== undefined;
  }

  remove(parent: DirectoryNode, name: ByteString): void {
    this.#directory.remove(parent, name);
  }

  markOpaque(node: DirectoryNode): void {
    if (this.#form === "files") {
      close(openat(this.#directory.open(node), cBytes(OPAQUE_FILE), MARK));
      return;
    }
    using directory = this.#openForReading(this.#directory.open(node));
    this.#attributes.setOpaque(directory.number);
  }

  createWhiteout(parent: DirectoryNode, name: ByteString): boolean {
    const dirfd = this.#directory.open(parent);
    if (this.#form === "files") {
      close(openat(dirfd, cBytes(`${WHITEOUT_FILE}${name}`), MARK));
      return !this.exists(parent, name);
    }
    try {
      mknodat(dirfd, cBytes(name), { mode: S_IFCHR });
      return true;
    } catch (error) {
      // A file of this layer has the name: it hides what lies below by itself.
      if (error instanceof SyscallError && error.errno === EEXIST) return false;
      throw error;
    }
  }

  /** Times of directories: everything that was made in them has changed them. */
  finish(root: DirectoryNode): void {
    for (const node of directoriesOf(root)) {
      for (const child of node.children.values()) {
        if (child.kind !== "directory" || child.times === undefined) continue;
        setTimes(this.#directory.open(node), child.name, child.times);
      }
    }
    if (root.times !== undefined) setTimes(this.#directory.rootFd, null, root.times);
  }

  [Symbol.dispose](): void {
    this.#closeFile();
    this.#directory[Symbol.dispose]();
  }

  #targetOf({ parent, name }: DirectoryNode): { dirfd: number; name: ByteString } {
    return parent === undefined
      ? { dirfd: this.#directory.rootFd, name: "." }
      : { dirfd: this.#directory.open(parent), name };
  }

  #setAttributes(parent: DirectoryNode, name: ByteString, entry: TarEntry): void {
    const dirfd = this.#directory.open(parent);
    this.#attributes.setOnName({ dirfd, name }, entry);
    setTimes(dirfd, name, timesOf(entry));
  }

  #openForReading(dirfd: number): Fd {
    return new Fd(openat(dirfd, ".", { flags: O_RDONLY | O_DIRECTORY }));
  }

  #closeFile(): void {
    if (this.#fd >= 0) close(this.#fd);
    this.#fd = -1;
    this.#entry = undefined;
  }
}

function failure(name: string, text: string, result: number): SyscallError {
  return new SyscallError({ name, text, errno: -result });
}
