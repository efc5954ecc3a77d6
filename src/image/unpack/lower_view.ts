/**
 * What the layers below show, as overlayfs would merge them, looked up without mounting anything.
 */

import { presentOrThrow } from "../../fs/absent.ts";
import { tryOpenBeneath } from "../../fs/beneath.ts";
import type { ByteString } from "../../fs/byte_string.ts";
import { cBytes } from "../../fs/byte_string.ts";
import { isDirectory } from "../../fs/copy_node.ts";
import { isWhiteout } from "../../fs/copy_tree.ts";
import { AT_FDCWD, O_DIRECTORY, O_PATH } from "../../linux/abi/fcntl.ts";
import { Fd, openat, type Stat, tryStatx } from "../../linux/file.ts";
import { getxattr } from "../../linux/xattr.ts";
import type { UnpackOptions } from "./options.ts";

/** A name that shows, and the layer that it shows from. */
export interface Found {
  readonly stat: Stat;
  /** Absolute path of the layer's directory. */
  readonly layer: string;
}

/** A stack of layers, and what shows at a path of it. */
export class LowerView {
  readonly #form: UnpackOptions["whiteouts"];
  /** Absolute paths, top first. */
  #layers: string[] = [];
  /** Layers that show in a directory, top first. */
  #visible = new Map<ByteString, readonly string[]>();

  constructor(form: UnpackOptions["whiteouts"]) {
    this.#form = form;
  }

  /** Puts a layer on top. @param opaque true when nothing below shows any more */
  push(directory: string, opaque: boolean): void {
    this.#layers = opaque ? [directory] : [directory, ...this.#layers];
    this.#visible = new Map();
  }

  /** Finds what shows at `path`, whose parents are not symlinks; a last symlink is not followed. */
  find(path: ByteString): Found | undefined {
    for (const layer of this.#visibleIn(parentOf(path))) {
      const stat = this.#stat(layer, path);
      if (stat === "hidden") return undefined;
      if (stat !== undefined) return { stat, layer };
    }
    return undefined;
  }

  #visibleIn(directory: ByteString): readonly string[] {
    const known = this.#visible.get(directory);
    if (known !== undefined) return known;
    const visible: string[] = [];
    if (directory === "") visible.push(...this.#layers);
    else {
      for (const layer of this.#visibleIn(parentOf(directory))) {
        const stat = this.#stat(layer, directory);
        if (stat === undefined) continue;
        if (stat === "hidden" || !isDirectory(stat)) break;
        visible.push(layer);
        if (this.#isOpaque(layer, directory)) break;
      }
    }
    this.#visible.set(directory, visible);
    return visible;
  }

  /** @returns "hidden" when the layer says that the name is gone */
  #stat(layer: string, path: ByteString): Stat | "hidden" | undefined {
    using parent = openDirectory(layer, parentOf(path));
    if (parent === undefined) return undefined;
    const name = nameOf(path);
    const stat = statBelow(parent, name);
    if (stat !== undefined) return isWhiteout(stat) ? "hidden" : stat;
    const isHidden = this.#form === "files" && statBelow(parent, `.wh.${name}`) !== undefined;
    return isHidden ? "hidden" : undefined;
  }

  #isOpaque(layer: string, path: ByteString): boolean {
    using directory = openDirectory(layer, path);
    if (directory === undefined) return false;
    if (this.#form === "files") return statBelow(directory, ".wh..wh..opq") !== undefined;
    const xattr = getxattr(`/proc/self/fd/${directory.number}`, `${this.#form}.overlay.opaque`);
    return xattr?.toString() === "y";
  }
}

/**
 * Opens a directory of a layer without following symlinks; undefined when it is not there.
 * @throws {SyscallError} when that cannot be known
 */
export function openDirectory(layer: string, path: ByteString): Fd | undefined {
  using root = new Fd(openat(AT_FDCWD, layer, { flags: O_PATH | O_DIRECTORY }));
  const fd = tryOpenBeneath(root.number, path);
  return presentOrThrow(fd < 0 ? fd : new Fd(fd), { name: "openat2", path });
}

/** Looks a name up without following a symlink; undefined when it is not there. @throws as {@link openDirectory} */
export function statBelow({ number }: Fd, name: ByteString): Stat | undefined {
  return presentOrThrow(tryStatx(number, cBytes(name)), { name: "statx", path: name });
}

/** Path of the directory that a path lies in; "" is the root. */
export function parentOf(path: ByteString): ByteString {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "" : path.slice(0, slash);
}

/** Last component of a path. */
export const nameOf = (path: ByteString): ByteString => path.slice(path.lastIndexOf("/") + 1);

/** A name in a directory, where both may be the root. */
export const joinPath = (directory: ByteString, name: ByteString): ByteString =>
  directory === "" ? name : `${directory}/${name}`;
