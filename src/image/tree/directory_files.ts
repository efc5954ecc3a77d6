/**
 * Reads a layer that is a directory: by descriptors, beneath the layer, never through a symlink. It tells whiteouts by
 * all forms in which bunker writes them: a device 0:0 and overlayfs' attributes, root's or a user namespace's, and the
 * archive's own `.wh.` files, which no layer holds for another purpose.
 */

import { assert } from "../../assert.ts";
import { UsageError } from "../../errors.ts";
import { presentOrThrow } from "../../fs/absent.ts";
import { tryOpenBeneath } from "../../fs/beneath.ts";
import { type ByteString, cBytes, quoteBytes } from "../../fs/byte_string.ts";
import { isOverlayXattr, pathByDescriptor } from "../../fs/copy_node.ts";
import { EINVAL, ENAMETOOLONG, ENOENT } from "../../linux/abi/errno.ts";
import {
  AT_FDCWD,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  S_IFDIR,
  S_IFMT,
  S_IFREG,
} from "../../linux/abi/fcntl.ts";
import { SyscallError } from "../../linux/call.ts";
import { Fd, openat, readDirectory, type Stat, tryReadlinkat, tryStatx } from "../../linux/file.ts";
import { getxattr, listxattr } from "../../linux/xattr.ts";
import { OPAQUE_FILE, WHITEOUT_FILE } from "../../oci/whiteout.ts";
import type { Timestamp } from "../tar/entry.ts";
import type { FileContent, LayerFiles, LayerNode, LayerNodeKind } from "./layer_files.ts";
import { kindOfMode } from "./node_kinds.ts";
import { OpenFile } from "./open_file.ts";
import { joinPath, nameOf, parentOf } from "./paths.ts";

const OPAQUE_XATTRS = ["trusted.overlay.opaque", "user.overlay.opaque"];

/** What overlayfs writes only when it is told to keep parts of a file elsewhere: overlayfs.rst. */
const ELSEWHERE = /^(?:trusted|user)\.overlay\.(?:redirect|metacopy)$/;

/** Opens what another descriptor has opened already: no name is looked up again. */
const READ_FILE = { flags: O_RDONLY | O_NONBLOCK };

/** The layer that a container writes to, while it may run. */
export interface WritableLayer {
  /** Whose attributes overlayfs writes there: all other marks are the container's own files and attributes. */
  readonly overlay: "trusted" | "user";
}

/** A directory that holds one layer. */
export class DirectoryFiles implements LayerFiles {
  readonly root: LayerNode;
  readonly #top: Fd;
  readonly #opaqueXattrs: readonly string[];
  readonly #hasMarkers: boolean;
  /** The directory that was asked for last: most questions are about one after the other. */
  #opened: { readonly path: ByteString; readonly fd: Fd } | undefined;

  /**
   * @param directory absolute path
   * @param writable set when it is written by overlayfs, not by bunker
   * @throws {SyscallError} ENOENT, EACCES
   */
  constructor(directory: string, writable?: WritableLayer) {
    this.#hasMarkers = writable === undefined;
    this.#opaqueXattrs = writable === undefined ? OPAQUE_XATTRS : [`${writable.overlay}.overlay.opaque`];
    this.#top = new Fd(openat(AT_FDCWD, directory, { flags: O_PATH | O_DIRECTORY | O_NOFOLLOW }));
    this.root = new FoundNode("", statOf(this.#top.number, ""));
  }

  lookup(directory: LayerNode, name: ByteString): LayerNode | undefined {
    const dirfd = this.#open(directory);
    const path = joinPath(pathOf(directory), name);
    const stat = tryStatx(dirfd, cBytes(name));
    if (typeof stat !== "number" && this.#isMarker(name, stat)) return undefined;
    if (typeof stat !== "number" && (stat.mode & S_IFMT) !== S_IFDIR) return new FoundNode(path, stat);
    // No file has a name that is too long.
    if (stat === -ENAMETOOLONG) return undefined;
    if (typeof stat === "number" && stat !== -ENOENT) throw failed("statx", path, stat);
    const marker = this.#findMarker(dirfd, name);
    if (typeof stat !== "number") return new FoundNode(path, stat, { isAlone: marker !== undefined });
    return marker && new FoundNode(path, marker, { kind: "whiteout" });
  }

  list(directory: LayerNode): readonly ByteString[] {
    const dirfd = this.#open(directory);
    using readable = new Fd(openat(dirfd, ".", { flags: O_RDONLY | O_DIRECTORY }));
    const names = new Set<ByteString>();
    for (const { name } of readDirectory(readable.number)) {
      if (!name.startsWith(WHITEOUT_FILE) || !this.#isMarker(name, statOf(dirfd, name))) names.add(name);
      else if (name !== OPAQUE_FILE) names.add(name.slice(WHITEOUT_FILE.length));
    }
    // One character is one byte, so that the order of the characters is that of the bytes.
    return [...names].sort();
  }

  readLink(node: LayerNode): ByteString {
    const path = pathOf(node);
    const target = tryReadlinkat(this.#openParent(path), cBytes(nameOf(path)));
    // EINVAL: something else has taken its place.
    if (typeof target === "number") throw failed("readlinkat", path, target === -EINVAL ? -ENOENT : target);
    return target.toString("latin1");
  }

  xattrs(node: LayerNode): ReadonlyMap<ByteString, Uint8Array> {
    const path = pathOf(node);
    const place = pathByDescriptor({ dirfd: this.#openParent(path), name: path === "" ? "." : nameOf(path) });
    const found = new Map<ByteString, Uint8Array>();
    for (const name of listxattr(place).sort()) {
      if (!this.#hasMarkers && ELSEWHERE.test(name)) throw elsewhere(path);
      if (isOverlayXattr(name)) continue;
      const value = getxattr(place, cBytes(name));
      if (value !== undefined) found.set(name, value);
    }
    return found;
  }

  open(file: LayerNode): FileContent {
    const path = pathOf(file);
    const dirfd = this.#openParent(path);
    // A container may put something else in its place at any time, and opening a device or a FIFO does something.
    using found = new Fd(openat(dirfd, cBytes(nameOf(path)), { flags: O_PATH | O_NOFOLLOW }));
    const stat = statOf(found.number, "");
    if ((stat.mode & S_IFMT) !== S_IFREG) throw failed("openat", path, -ENOENT);
    return new OpenFile(openat(AT_FDCWD, `/proc/self/fd/${found.number}`, READ_FILE), stat);
  }

  isOpaque(directory: LayerNode): boolean {
    if (foundNode(directory).isAlone) return true;
    const dirfd = this.#open(directory);
    const place = pathByDescriptor({ dirfd, name: "." });
    if (this.#opaqueXattrs.some((name) => getxattr(place, name)?.toString("latin1") === "y")) return true;
    if (!this.#hasMarkers) return false;
    return presentOrThrow(tryStatx(dirfd, OPAQUE_FILE), { name: "statx", path: OPAQUE_FILE }) !== undefined;
  }

  /** True for a file that stands for a whiteout; a directory of such a name is one like any other. */
  #isMarker(name: ByteString, { mode }: Stat): boolean {
    return this.#hasMarkers && name.startsWith(WHITEOUT_FILE) && (mode & S_IFMT) === S_IFREG;
  }

  #findMarker(dirfd: number, name: ByteString): Stat | undefined {
    if (!this.#hasMarkers) return undefined;
    const marker = WHITEOUT_FILE + name;
    const stat = presentOrThrow(tryStatx(dirfd, cBytes(marker)), { name: "statx", path: marker });
    return stat !== undefined && this.#isMarker(marker, stat) ? stat : undefined;
  }

  #open(directory: LayerNode): number {
    assert(directory.kind === "directory", "a directory");
    return this.#openPath(pathOf(directory));
  }

  #openParent(path: ByteString): number {
    return this.#openPath(parentOf(path));
  }

  #openPath(path: ByteString): number {
    if (path === "") return this.#top.number;
    if (this.#opened?.path === path) return this.#opened.fd.number;
    const fd = tryOpenBeneath(this.#top.number, path);
    if (fd < 0) throw failed("openat2", path, fd);
    this.#opened?.fd[Symbol.dispose]();
    this.#opened = { path, fd: new Fd(fd) };
    return fd;
  }

  [Symbol.dispose](): void {
    this.#opened?.fd[Symbol.dispose]();
    this.#opened = undefined;
    this.#top[Symbol.dispose]();
  }
}

/** A name that was found, with where it is. */
class FoundNode implements LayerNode {
  readonly path: ByteString;
  readonly kind: LayerNodeKind;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: Timestamp;
  readonly rdev: { readonly major: number; readonly minor: number };
  readonly linkKey: string | undefined;
  /** A directory beside a whiteout of the same name, which speaks of the layers below. */
  readonly isAlone: boolean;

  constructor(path: ByteString, stat: Stat, { kind = kindOfStat(stat), isAlone = false } = {}) {
    this.path = path;
    this.isAlone = isAlone;
    this.kind = kind;
    this.mode = stat.mode & 0o7777;
    this.uid = stat.uid;
    this.gid = stat.gid;
    this.size = stat.size;
    this.mtime = stat.mtime;
    this.rdev = { major: stat.major, minor: stat.minor };
    this.linkKey = kind !== "directory" && stat.nlink > 1 ? stat.identity : undefined;
  }
}

/** Kind of a file of a layer by its stat(2). */
export function kindOfStat({ mode, major, minor }: Stat): LayerNodeKind {
  const kind = kindOfMode(mode) ?? "socket";
  return kind === "character" && major === 0 && minor === 0 ? "whiteout" : kind;
}

function elsewhere(path: ByteString): UsageError {
  const place = path === "" ? "the root" : quoteBytes(path);
  return new UsageError(
    `Cannot read the container's layer: overlayfs keeps a part of ${place} in another layer`,
    {
      hint: "Turn it off: echo N > /sys/module/overlay/parameters/redirect_dir, the same for metacopy; start it again",
    },
  );
}

function foundNode(node: LayerNode): FoundNode {
  assert(node instanceof FoundNode, "a node of this layer");
  return node;
}

const pathOf = (node: LayerNode): ByteString => foundNode(node).path;

function statOf(dirfd: number, name: ByteString): Stat {
  const stat = tryStatx(dirfd, cBytes(name));
  if (typeof stat === "number") throw failed("statx", name, stat);
  return stat;
}

function failed(name: string, path: ByteString, result: number): SyscallError {
  return new SyscallError({ name, text: `${name}(${quoteBytes(path)})`, errno: -result });
}
