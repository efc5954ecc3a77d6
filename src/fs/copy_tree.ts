/**
 * Copies directory trees: as they are, or merged from the layers of an image where no overlay can be mounted. By
 * descriptors and never through a symlink, with hard links kept.
 */
import { EMLINK, ENOENT, EXDEV } from "../linux/abi/errno.ts";
import { AT_FDCWD, O_DIRECTORY, O_NOFOLLOW, O_RDONLY, S_IFCHR, S_IFMT } from "../linux/abi/fcntl.ts";
import { DT_DIR } from "../linux/abi/file.ts";
import { call, SyscallError } from "../linux/call.ts";
import {
  Fd,
  mkdirat,
  openat,
  type Path,
  readDirectory,
  type Stat,
  tryLinkat,
  tryStatx,
  tryUnlinkat,
  utimensat,
} from "../linux/file.ts";
import { getxattr } from "../linux/xattr.ts";
import { OPAQUE_FILE, WHITEOUT_FILE } from "../oci/whiteout.ts";
import { presentOrThrow } from "./absent.ts";
import { type ByteString, cBytes } from "./byte_string.ts";
import { type CopyOptions, copyAttributes, copyDirectory, copyNode, isDirectory } from "./copy_node.ts";
import { removeTree } from "./remove_tree.ts";

const READ = { flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW };

/** How {@link flattenLayers} merges and what it may leave out. */
export interface FlattenOptions extends CopyOptions {
  /** How the layers say what they hide; `files` are the archives' own `.wh.` files. */
  readonly whiteouts: "trusted" | "user" | "files";
}

/**
 * Merges layers into one directory.
 * @param layers absolute paths, bottom first
 * @param target absolute path of a directory; created when missing
 * @throws {SyscallError} ENOSPC, EPERM …; the target is then to be thrown away
 */
export function flattenLayers(layers: readonly string[], target: string, options: FlattenOptions): void {
  for (const layer of layers) new TreeCopier(options).copyRoot(layer, target);
}

/** Copies a tree with all attributes. @param target absolute path, created when missing */
export function copyTree(source: string, target: string, options: CopyOptions = {}): void {
  new TreeCopier({ ...options, whiteouts: undefined }).copyRoot(source, target);
}

/**
 * Copies what is in one open directory into another, and its attributes.
 * @param keepMode the target's own permissions stay
 */
export function copyTreeInto(source: number, target: number, { keepMode = false } = {}): void {
  new TreeCopier({ whiteouts: undefined }).copyInto(source, target, keepMode);
}

class TreeCopier {
  readonly #options: CopyOptions & { readonly whiteouts: FlattenOptions["whiteouts"] | undefined };
  /** Where the first name of a file with several went, by the file's identity. */
  readonly #links = new Map<string, { readonly dirfd: number; readonly path: Path }>();
  #targetFd = -1;

  constructor(options: CopyOptions & { readonly whiteouts: FlattenOptions["whiteouts"] | undefined }) {
    this.#options = options;
  }

  copyRoot(source: string, target: string): void {
    using sourceFd = new Fd(openat(AT_FDCWD, source, READ));
    if (typeof tryStatx(AT_FDCWD, target) === "number") mkdirat(AT_FDCWD, target, 0o755);
    using targetFd = new Fd(openat(AT_FDCWD, target, READ));
    if (this.#isOpaque(sourceFd.number)) clearDirectory(targetFd.number);
    this.copyInto(sourceFd.number, targetFd.number);
  }

  copyInto(source: number, target: number, keepMode = false): void {
    const before = statOf(target, "");
    this.#targetFd = target;
    this.#copyChildren(source, target, "");
    copyAttributes(
      { dirfd: source, name: "." },
      { dirfd: target, name: "." },
      this.#with(statOf(source, "")),
    );
    if (keepMode) call("fchmod", target, before.mode & 0o7777);
  }

  /** @param path of the directory below the root, with a "/" at the end unless it is the root */
  #copyChildren(from: number, to: number, path: ByteString): void {
    const entries = readDirectory(from);
    if (this.#options.whiteouts === "files")
      this.#removeHidden(
        entries.map(({ name }) => name),
        to,
      );
    for (const { name, type } of entries) {
      if (this.#options.whiteouts === "files" && name.startsWith(WHITEOUT_FILE)) continue;
      if (type === DT_DIR) this.#copyChild(from, to, { name, path, stat: undefined });
      else this.#copyFile(from, to, { name, path, stat: statOf(from, name) });
    }
  }

  #copyFile(from: number, to: number, child: Child & { stat: Stat }): void {
    const { name, stat } = child;
    if (isDirectory(stat)) {
      this.#copyChild(from, to, child);
      return;
    }
    if (this.#options.whiteouts !== undefined) {
      remove(to, name);
      if (isWhiteout(stat)) return;
    }
    if (stat.nlink > 1 && this.#linkToCopy(to, child)) return;
    const isCopied = copyNode({ dirfd: from, name }, { dirfd: to, name }, this.#with(stat));
    if (isCopied && stat.nlink > 1) {
      this.#links.set(stat.identity, { dirfd: this.#targetFd, path: cBytes(child.path + name) });
    }
  }

  #linkToCopy(to: number, { name, stat }: Child & { stat: Stat }): boolean {
    const first = this.#links.get(stat.identity);
    if (first === undefined) return false;
    const result = tryLinkat(first, { dirfd: to, path: cBytes(name) });
    if (result === 0) return true;
    if (result === -EXDEV || result === -EMLINK) return false;
    throw new SyscallError({ name: "linkat", text: `linkat(${JSON.stringify(name)})`, errno: -result });
  }

  #copyChild(from: number, to: number, { name, path, stat = statOf(from, name) }: Child): void {
    const present = presentOrThrow(tryStatx(to, cBytes(name)), { name: "statx", path: name });
    const isMerged = present !== undefined && isDirectory(present);
    if (!isMerged) {
      if (present !== undefined) remove(to, name);
      copyDirectory({ dirfd: from, name }, { dirfd: to, name }, this.#with(stat));
    }
    using source = new Fd(openat(from, cBytes(name), READ));
    using target = new Fd(openat(to, cBytes(name), READ));
    if (isMerged && this.#isOpaque(source.number)) clearDirectory(target.number);
    this.#copyChildren(source.number, target.number, `${path}${name}/`);
    if (isMerged) copyAttributes({ dirfd: from, name }, { dirfd: to, name }, this.#with(stat));
    else utimensat(to, cBytes(name), stat);
  }

  /** Markers first, whatever their place in the directory: they speak of the layers below only. */
  #removeHidden(names: readonly ByteString[], to: number): void {
    for (const name of names) {
      if (name.startsWith(WHITEOUT_FILE) && name !== OPAQUE_FILE)
        remove(to, name.slice(WHITEOUT_FILE.length));
    }
  }

  #isOpaque(fd: number): boolean {
    const { whiteouts } = this.#options;
    if (whiteouts === undefined) return false;
    const look = { name: "statx", path: OPAQUE_FILE };
    if (whiteouts === "files") return presentOrThrow(tryStatx(fd, OPAQUE_FILE), look) !== undefined;
    return getxattr(fd, `${whiteouts}.overlay.opaque`)?.toString() === "y";
  }

  #with(stat: Stat): { stat: Stat; options: CopyOptions } {
    return { stat, options: this.#options };
  }
}

interface Child {
  readonly name: ByteString;
  readonly path: ByteString;
  readonly stat?: Stat | undefined;
}

/** True for overlayfs' mark of a name that is gone: a character device 0:0. */
export function isWhiteout({ mode, major, minor }: Stat): boolean {
  return (mode & S_IFMT) === S_IFCHR && major === 0 && minor === 0;
}

function statOf(dirfd: number, name: ByteString): Stat {
  const stat = tryStatx(dirfd, cBytes(name));
  if (typeof stat !== "number") return stat;
  throw new SyscallError({ name: "statx", text: `statx(${JSON.stringify(name)})`, errno: -stat });
}

function remove(dirfd: number, name: ByteString): void {
  const path = cBytes(name);
  const result = tryUnlinkat(dirfd, path, 0);
  if (result !== 0 && result !== -ENOENT) removeTree({ dirfd, path });
}

function clearDirectory(fd: number): void {
  for (const { name } of readDirectory(fd)) remove(fd, name);
}
