/**
 * A layer as one file: an EROFS image, which the kernel mounts without unpacking anything. Files are written as their data
 * arrives, directories when all is known; nothing of a layer is held in memory but its names.
 */

import type { ByteString } from "../../fs/byte_string.ts";
import { EEXIST, ENAMETOOLONG, ENOENT } from "../../linux/abi/errno.ts";
import {
  AT_FDCWD,
  O_CREAT,
  O_EXCL,
  O_NOFOLLOW,
  O_RDWR,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
  S_IFREG,
} from "../../linux/abi/fcntl.ts";
import { S_IFLNK } from "../../linux/abi/file.ts";
import { SyscallError } from "../../linux/call.ts";
import { Fd, makedev, openat } from "../../linux/file.ts";
import type { TarEntry } from "../tar/entry.ts";
import { clampTime, isHostXattr, type Skipped } from "../unpack/attributes.ts";
import type { LayerTarget, TreePlace } from "../unpack/layer_target.ts";
import { type DirectoryNode, directoriesOf, pathOf } from "../unpack/layer_tree.ts";
import type { UnpackOptions } from "../unpack/options.ts";
import { modeWithList } from "./access_list.ts";
import { writeDirectories } from "./directory_writer.ts";
import { FileWriter } from "./file_writer.ts";
import { BLOCK_SIZE, FILE_TYPE, NAME_BYTES_MAX } from "./format.ts";
import { type ImageDirectory, newImageDirectory, packFile } from "./image_directory.ts";
import { ImageOutput } from "./image_output.ts";
import { encodeXattrs, type XattrOwner } from "./xattr_body.ts";

const ROOT_MODE = 0o755;
/** Longest path that the kernel takes in one call. */
const PATH_BYTES_MAX = 4095;
const WHITEOUT: Pick<TarEntry, "uid" | "gid" | "mtime"> = {
  uid: 0,
  gid: 0,
  mtime: { seconds: 0, nanoseconds: 0 },
};

/** What is written for a name. */
interface Content {
  readonly entry: Pick<TarEntry, "mode" | "uid" | "gid" | "mtime" | "xattrs">;
  readonly typeBits: number;
  readonly owner: XattrOwner;
  readonly size: number;
  readonly device: number;
}

/** Writes one layer into a new file. */
export class ErofsTarget implements LayerTarget {
  readonly skipped: Skipped = { owners: 0, devices: 0, xattrs: 0 };
  readonly #options: UnpackOptions;
  readonly #fd: Fd;
  readonly #output: ImageOutput;
  readonly #files: FileWriter;
  readonly #root = newImageDirectory(undefined, ROOT_MODE);
  readonly #directories = new WeakMap<DirectoryNode, ImageDirectory>();
  /** Inodes that have had several names. */
  readonly #linked = new Set<number>();

  /** @param path must not exist; created, and left to the caller */
  constructor(path: string, options: UnpackOptions) {
    this.#options = options;
    // Not executable and closed to everybody: what is inside has its own permissions.
    const how = { flags: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600 };
    this.#fd = new Fd(openat(AT_FDCWD, path, how));
    // Block 0 is written last.
    this.#output = new ImageOutput(this.#fd.number, BLOCK_SIZE);
    this.#files = new FileWriter(this.#output);
  }

  createFile(parent: DirectoryNode, name: ByteString, entry: TarEntry): void {
    this.#begin(parent, name, { entry, typeBits: S_IFREG, owner: "file", size: entry.size, device: 0 });
  }

  write(bytes: Uint8Array, offset: number): void {
    this.#files.write(bytes, offset);
  }

  finishFile(): void {
    this.#files.finish();
  }

  makeDirectory(node: DirectoryNode, mode: number): void {
    const { parent, name } = node;
    if (parent === undefined) return;
    this.#claim(parent, name);
    if (pathOf(node).length > PATH_BYTES_MAX) throw refusal("mkdirat", name, ENAMETOOLONG);
    const above = this.#directoryOf(parent);
    const directory = newImageDirectory(above, mode);
    Object.assign(directory, this.#options.creator);
    above.entries.set(name, directory);
    this.#directories.set(node, directory);
  }

  describeDirectory(node: DirectoryNode, { mode, uid, gid, xattrs }: TarEntry): void {
    const kept = new Map([...xattrs].filter(([name]) => isKept(name)));
    Object.assign(this.#directoryOf(node), { mode: modeWithList(mode, kept), uid, gid, xattrs: kept });
  }

  setImpliedMode(node: DirectoryNode, mode: number): void {
    this.#directoryOf(node).mode = mode;
  }

  describeRoot(entry: TarEntry): void {
    const { mode, uid, gid, xattrs } = entry;
    const kept = new Map([...xattrs].filter(([name]) => isKept(name)));
    Object.assign(this.#root, { mode: modeWithList(mode, kept), uid, gid, xattrs: kept });
  }

  createSymlink(parent: DirectoryNode, name: ByteString, entry: TarEntry): void {
    const target = Buffer.from(entry.linkPath, "latin1");
    const symlink: TarEntry = { ...entry, mode: 0o777 };
    this.#begin(parent, name, {
      entry: symlink,
      typeBits: S_IFLNK,
      owner: "symlink",
      size: target.length,
      device: 0,
    });
    this.#files.write(target, 0);
    this.#files.finish();
  }

  createNode(parent: DirectoryNode, name: ByteString, entry: TarEntry): void {
    const { type, major, minor } = entry;
    const typeBits = type === "fifo" ? S_IFIFO : type === "char" ? S_IFCHR : S_IFBLK;
    const device = type === "fifo" ? 0 : makedev(major, minor);
    this.#begin(parent, name, { entry, typeBits, owner: "other", size: 0, device });
    this.#files.finish();
  }

  link(from: TreePlace, to: TreePlace): number {
    const source = this.#directoryOf(from.directory).entries.get(from.name);
    if (typeof source !== "number") return -ENOENT;
    const target = this.#directoryOf(to.directory);
    if (target.entries.has(to.name)) return -EEXIST;
    if (to.name.length > NAME_BYTES_MAX) return -ENAMETOOLONG;
    target.entries.set(to.name, source);
    this.#linked.add(source);
    return 0;
  }

  exists(parent: DirectoryNode, name: ByteString): boolean {
    return this.#directoryOf(parent).entries.has(name);
  }

  remove(parent: DirectoryNode, name: ByteString): void {
    parent.children.delete(name);
    this.#directoryOf(parent).entries.delete(name);
  }

  markOpaque(node: DirectoryNode): void {
    this.#directoryOf(node).opaque = true;
  }

  createWhiteout(parent: DirectoryNode, name: ByteString): boolean {
    // A file of this layer hides what lies below by itself.
    if (this.exists(parent, name)) return false;
    const entry = { ...WHITEOUT, mode: 0, xattrs: new Map() };
    this.#begin(parent, name, { entry, typeBits: S_IFCHR, owner: "other", size: 0, device: 0 });
    this.#files.finish();
    return true;
  }

  finish(root: DirectoryNode): void {
    for (const node of directoriesOf(root)) {
      if (node.times !== undefined) this.#directoryOf(node).mtime = clampTime(node.times.mtime);
    }
    this.skipped.xattrs += writeDirectories({
      fd: this.#fd.number,
      output: this.#output,
      root: this.#root,
      inodes: this.#files.count,
      linked: this.#linked,
    });
  }

  [Symbol.dispose](): void {
    this.#fd[Symbol.dispose]();
  }

  #begin(parent: DirectoryNode, name: ByteString, { entry, typeBits, owner, size, device }: Content): void {
    this.#claim(parent, name);
    const { uid, gid, mtime } = entry;
    const mode = owner === "symlink" ? entry.mode : modeWithList(entry.mode, entry.xattrs);
    const xattrs = this.#xattrsOf(entry, owner);
    const inode = { mode: typeBits | mode, uid, gid, mtime: clampTime(mtime), size, device, xattrs };
    const packed = packFile(this.#files.begin(inode), FILE_TYPE[typeBits >> 12] ?? 0);
    this.#directoryOf(parent).entries.set(name, packed);
  }

  #xattrsOf({ xattrs }: Pick<TarEntry, "xattrs">, owner: XattrOwner): Uint8Array {
    if (xattrs.size === 0) return NOTHING;
    const kept = [...xattrs].filter(([name]) => isKept(name));
    const { bytes, skipped } = encodeXattrs(kept, owner);
    this.skipped.xattrs += skipped;
    return bytes;
  }

  #claim(parent: DirectoryNode, name: ByteString): void {
    if (name.length > NAME_BYTES_MAX) throw refusal("openat", name, ENAMETOOLONG);
    if (this.exists(parent, name)) throw refusal("openat", name, EEXIST);
  }

  #directoryOf(node: DirectoryNode): ImageDirectory {
    if (node.parent === undefined) return this.#root;
    const directory = this.#directories.get(node);
    if (directory === undefined) throw new Error("Cannot happen: a directory of the layer was not made");
    return directory;
  }
}

const NOTHING = new Uint8Array(0);

const isKept = (name: ByteString): boolean => !isHostXattr(name) && !name.includes("\0");

function refusal(call: string, name: ByteString, errno: number): SyscallError {
  return new SyscallError({ name: call, text: `${call}(${JSON.stringify(name)})`, errno });
}
