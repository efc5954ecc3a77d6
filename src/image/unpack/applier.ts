/**
 * Writes the entries of one layer into its directory, in the form that overlayfs takes as a lower layer. It sees this
 * layer alone, so that layers can be unpacked side by side: what depends on the layers below (parents that no entry
 * describes, hard links to files that are not here) is listed in the result and done by lower_layers.ts.
 * image-spec, layer.md.
 */
import { type ByteString, cBytes } from "../../fs/byte_string.ts";
import {
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_RDONLY,
  O_WRONLY,
  S_IFCHR,
} from "../../linux/abi/fcntl.ts";
import { S_IFBLK, S_IFIFO } from "../../linux/abi/file.ts";
import { SyscallError } from "../../linux/call.ts";
import {
  close,
  Fd,
  ftruncate,
  mkdirat,
  mknodat,
  openat,
  pwriteAll,
  symlinkat,
  tryOpenat,
  tryStatx,
} from "../../linux/file.ts";
import type { TarEntry } from "../tar/entry.ts";
import type { TarHandler } from "../tar/reader.ts";
import { Attributes, type Skipped, setTimes, timesOf } from "./attributes.ts";
import { HardLinks, type MissingLink } from "./hard_links.ts";
import { LayerDirectory } from "./layer_directory.ts";
import { LayerError, unpackError } from "./layer_error.ts";
import { parseEntryName } from "./layer_path.ts";
import {
  type DirectoryNode,
  directoriesOf,
  LayerTree,
  newDirectory,
  pathOf,
  SymlinkLoop,
} from "./layer_tree.ts";
import type { UnpackOptions } from "./options.ts";
import { Whiteouts } from "./whiteouts.ts";

const EEXIST = 17;
const NEW_FILE = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
const IMPLIED_MODE = 0o755;
/** Bits of device numbers that the kernel keeps (kdev_t.h). */
const MAJOR_MAX = 0xfff;
const MINOR_MAX = 0xfffff;

/** What became of a layer; all paths are relative to its root, parents before children. */
export interface LayerResult {
  readonly entries: number;
  /** Bytes of its files. */
  readonly sizeBytes: number;
  /** True when nothing of the layers below shows. */
  readonly opaque: boolean;
  /** Directories that exist only because something lies in them. */
  readonly implied: readonly ByteString[];
  /** Hard links whose target is not in this layer. */
  readonly links: readonly MissingLink[];
  readonly skipped: Skipped;
}

/** Writes one layer; {@link finish} says what is left to do. */
export class LayerApplier implements TarHandler, Disposable {
  readonly #options: UnpackOptions;
  readonly #tree = new LayerTree();
  readonly #directory: LayerDirectory;
  readonly #attributes: Attributes;
  readonly #whiteouts: Whiteouts;
  readonly #links: HardLinks;
  #entries = 0;
  #sizeBytes = 0;
  /** The parent that was resolved last, by its path in the archive. */
  #parentPath: ByteString | undefined;
  #parent: DirectoryNode | undefined;
  /** The file whose data follows. */
  #entry: TarEntry | undefined;
  #fd = -1;
  #written = 0;

  /** @param rootFd an empty directory, open for reading; stays the caller's */
  constructor(rootFd: number, options: UnpackOptions) {
    this.#options = options;
    this.#directory = new LayerDirectory(rootFd);
    this.#attributes = new Attributes(options);
    this.#whiteouts = new Whiteouts(this.#directory, this.#attributes, options.whiteouts);
    this.#links = new HardLinks(this.#directory, this.#tree);
  }

  /** @throws {LayerError} for an entry that no honest layer has, {UnpackError} when it cannot be written */
  onEntry(entry: TarEntry): void {
    this.#entries += 1;
    try {
      this.#apply(entry);
    } catch (error) {
      throw this.#explain(entry, error);
    }
  }

  onData(bytes: Uint8Array, offset: number): void {
    if (this.#fd < 0) return;
    try {
      pwriteAll(this.#fd, bytes, offset);
    } catch (error) {
      throw this.#explain(this.#entry, error);
    }
    this.#written = offset + bytes.length;
  }

  onEntryEnd(): void {
    const entry = this.#entry;
    if (this.#fd < 0 || entry === undefined) return;
    const fd = this.#fd;
    try {
      // A file that ends in a hole.
      if (this.#written < entry.size) ftruncate(fd, entry.size);
      this.#attributes.setOnFile(fd, entry);
      setTimes(fd, null, timesOf(entry));
    } catch (error) {
      throw this.#explain(entry, error);
    } finally {
      this.#closeFile();
    }
  }

  /** Does what had to wait for the last entry. @throws {LayerError} and {UnpackError} as {@link onEntry} */
  finish(): LayerResult {
    const links = this.#links.finish();
    this.#whiteouts.removeHidden();
    const implied: ByteString[] = [];
    for (const node of directoriesOf(this.#tree.root)) {
      this.#setChildTimes(node);
      if (node.implied && !this.#isHidden(node)) implied.push(pathOf(node));
    }
    const { times } = this.#tree.root;
    if (times !== undefined) setTimes(this.#directory.rootFd, null, times);
    return {
      entries: this.#entries,
      sizeBytes: this.#sizeBytes,
      opaque: this.#tree.root.opaque,
      implied,
      links,
      skipped: this.#attributes.skipped,
    };
  }

  [Symbol.dispose](): void {
    this.#closeFile();
    this.#directory[Symbol.dispose]();
  }

  #apply(entry: TarEntry): void {
    const place = parseEntryName(entry.path);
    switch (place.kind) {
      case "ignored":
        break;
      case "root":
        this.#applyRoot(entry);
        break;
      case "whiteout":
        this.#whiteouts.hide(this.#resolveParent(place.parent, entry), place.name);
        break;
      case "opaque":
        this.#whiteouts.hideAll(this.#resolveParent(place.parent, entry));
        break;
      case "plain":
        this.#applyPlain(this.#resolveParent(place.parent, entry), place.name, entry);
        break;
    }
  }

  #applyPlain(parent: DirectoryNode, name: ByteString, entry: TarEntry): void {
    switch (entry.type) {
      case "file":
        this.#createFile(parent, name, entry);
        break;
      case "directory":
        this.#createDirectory(parent, name, entry);
        break;
      case "symlink":
        this.#replace(parent, name, (dirfd, path) => symlinkat(cBytes(entry.linkPath), dirfd, path));
        parent.children.set(name, { kind: "symlink", target: entry.linkPath });
        this.#setAttributes(parent, name, entry);
        break;
      case "link":
        this.#replace(parent, name, () => this.#links.link({ parent, name, entry }));
        break;
      case "fifo":
      case "char":
      case "block":
        this.#createNode(parent, name, entry);
        break;
    }
  }

  #createFile(parent: DirectoryNode, name: ByteString, entry: TarEntry): void {
    const path = cBytes(name);
    const how = { flags: NEW_FILE, mode: this.#attributes.creationMode(entry.mode) };
    let fd = tryOpenat(this.#directory.open(parent), path, how);
    if (fd === -EEXIST) {
      this.#remove(parent, name);
      fd = openat(this.#directory.open(parent), path, how);
    } else if (fd < 0) {
      throw new SyscallError({
        name: "openat",
        text: `openat(${JSON.stringify(name)}, O_CREAT)`,
        errno: -fd,
      });
    }
    this.#fd = fd;
    this.#entry = entry;
    this.#written = 0;
    this.#sizeBytes += entry.size;
  }

  #createDirectory(parent: DirectoryNode, name: ByteString, entry: TarEntry): void {
    const known = parent.children.get(name);
    const node = known?.kind === "directory" ? known : this.#makeDirectory(parent, name, entry.mode & 0o777);
    const target = { dirfd: this.#directory.open(parent), name };
    if (known === node) {
      this.#attributes.clearXattrs(target);
      this.#attributes.resetMode(target, entry.mode);
    }
    node.implied = false;
    node.times = timesOf(entry);
    this.#attributes.setOnName(target, entry);
  }

  #makeDirectory(parent: DirectoryNode, name: ByteString, mode: number): DirectoryNode {
    const replacesWhiteout = parent.children.get(name)?.kind === "whiteout";
    this.#replace(parent, name, (dirfd, path) => mkdirat(dirfd, path, mode));
    const node = newDirectory(parent, name);
    parent.children.set(name, node);
    // The whiteout removed what lies below; the directory alone would bring it back.
    if (replacesWhiteout) this.#whiteouts.hideAll(node);
    return node;
  }

  #createNode(parent: DirectoryNode, name: ByteString, entry: TarEntry): void {
    const { type, mode, major, minor } = entry;
    if (major < 0 || major > MAJOR_MAX || minor < 0 || minor > MINOR_MAX) {
      throw new LayerError(entry.path, `its device number ${major}:${minor} does not exist`);
    }
    if (type !== "fifo" && this.#options.devices === "skip") {
      this.#attributes.skipped.devices += 1;
      return;
    }
    const typeBits = type === "fifo" ? S_IFIFO : type === "char" ? S_IFCHR : S_IFBLK;
    const node = { mode: typeBits | (mode & 0o777), major, minor };
    this.#replace(parent, name, (dirfd, path) => mknodat(dirfd, path, node));
    this.#setAttributes(parent, name, entry);
  }

  #setAttributes(parent: DirectoryNode, name: ByteString, entry: TarEntry): void {
    const dirfd = this.#directory.open(parent);
    this.#attributes.setOnName({ dirfd, name }, entry);
    setTimes(dirfd, name, timesOf(entry));
  }

  /** Creates a name; when it is taken, what has it goes first: the last entry of a name wins. */
  #replace(parent: DirectoryNode, name: ByteString, create: (dirfd: number, path: Buffer) => void): void {
    const path = cBytes(name);
    if (parent.children.has(name)) this.#remove(parent, name);
    try {
      create(this.#directory.open(parent), path);
    } catch (error) {
      if (!(error instanceof SyscallError) || error.errno !== EEXIST) throw error;
      this.#remove(parent, name);
      create(this.#directory.open(parent), path);
    }
  }

  #remove(parent: DirectoryNode, name: ByteString): void {
    this.#parentPath = undefined;
    this.#directory.remove(parent, name);
  }

  /** A layer may describe its root, but not make something else of it (CVE-2021-29136). */
  #applyRoot(entry: TarEntry): void {
    if (entry.type !== "directory")
      throw new LayerError(entry.path, `it makes a ${entry.type} of the layer's root`);
    using root = new Fd(openat(this.#directory.rootFd, ".", { flags: O_RDONLY | O_DIRECTORY }));
    this.#attributes.setOnFile(root.number, entry);
    this.#tree.root.times = timesOf(entry);
  }

  #resolveParent(path: ByteString, entry: TarEntry): DirectoryNode {
    if (path === this.#parentPath && this.#parent !== undefined) return this.#parent;
    const node = this.#tree.resolve(path, (parent, name) => this.#makeImplied(parent, name, entry));
    if (node === undefined) throw new LayerError(entry.path, "its directory cannot be made");
    this.#parentPath = path;
    this.#parent = node;
    return node;
  }

  #makeImplied(parent: DirectoryNode, name: ByteString, entry: TarEntry): DirectoryNode {
    if (parent.children.get(name)?.kind !== "whiteout" && this.#exists(parent, name)) {
      throw new LayerError(entry.path, "it lies below an entry that is not a directory");
    }
    const node = this.#makeDirectory(parent, name, IMPLIED_MODE);
    this.#attributes.resetMode({ dirfd: this.#directory.open(parent), name }, IMPLIED_MODE);
    node.implied = !node.opaque;
    node.times = timesOf(entry);
    return node;
  }

  #exists(parent: DirectoryNode, name: ByteString): boolean {
    return typeof tryStatx(this.#directory.open(parent), cBytes(name)) !== "number";
  }

  #isHidden(node: DirectoryNode): boolean {
    for (let at: DirectoryNode | undefined = node.parent; at !== undefined; at = at.parent)
      if (at.opaque) return true;
    return false;
  }

  #setChildTimes(node: DirectoryNode): void {
    for (const child of node.children.values()) {
      if (child.kind !== "directory" || child.times === undefined) continue;
      setTimes(this.#directory.open(node), child.name, child.times);
    }
  }

  #closeFile(): void {
    if (this.#fd >= 0) close(this.#fd);
    this.#fd = -1;
    this.#entry = undefined;
  }

  #explain(entry: TarEntry | undefined, error: unknown): unknown {
    const path = entry?.path ?? "";
    if (error instanceof SymlinkLoop) return new LayerError(path, "its path goes through too many symlinks");
    return unpackError(path, error);
  }
}
