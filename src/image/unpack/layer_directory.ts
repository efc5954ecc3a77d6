/**
 * The directory that a layer is unpacked into, as the kernel sees it: creates, replaces and removes names in it.
 * Parents are opened without following symlinks; the one opened last stays open, as archives are in the order of
 * their directories.
 */

import { tryOpenBeneath } from "../../fs/beneath.ts";
import { type ByteString, cBytes } from "../../fs/byte_string.ts";
import { removeTree } from "../../fs/remove_tree.ts";
import { EISDIR, ENOENT, EPERM } from "../../linux/abi/errno.ts";
import { SyscallError } from "../../linux/call.ts";
import { close, Fd, tryUnlinkat } from "../../linux/file.ts";
import { type DirectoryNode, pathOf } from "./layer_tree.ts";

/** Opens and removes what the tree names, below one root. */
export class LayerDirectory implements Disposable {
  readonly rootFd: number;
  #openNode: DirectoryNode | undefined;
  #openFd = -1;

  /** @param rootFd stays the caller's */
  constructor(rootFd: number) {
    this.rootFd = rootFd;
  }

  /**
   * A descriptor of a directory (O_PATH), valid until the next call or {@link forget}.
   * @throws {SyscallError} ELOOP, ENOTDIR when it is not what the tree says: nothing may be written there
   */
  open(node: DirectoryNode): number {
    if (this.#openNode === node) return this.#openFd;
    this.forget();
    this.#openFd = this.#openNew(node);
    this.#openNode = node;
    return this.#openFd;
  }

  /** The same, owned by the caller: for links from one directory to another. */
  openSecond(node: DirectoryNode): Fd {
    return new Fd(this.#openNew(node));
  }

  /** Closes the directory that is open: it may be about to go (CVE-2025-47290 was such a cache, kept). */
  forget(): void {
    if (this.#openNode !== undefined) close(this.#openFd);
    this.#openNode = undefined;
  }

  /** Removes a name and what is below it from a directory, and from the tree. */
  remove(parent: DirectoryNode, name: ByteString): void {
    parent.children.delete(name);
    this.forget();
    const dirfd = this.open(parent);
    const path = cBytes(name);
    const result = tryUnlinkat(dirfd, path, 0);
    if (result === 0 || result === -ENOENT) return;
    if (result === -EISDIR || result === -EPERM) removeTree({ dirfd, path });
    else
      throw new SyscallError({ name: "unlinkat", text: `unlinkat(${JSON.stringify(name)})`, errno: -result });
  }

  [Symbol.dispose](): void {
    this.forget();
  }

  #openNew(node: DirectoryNode): number {
    const path = pathOf(node);
    const fd = tryOpenBeneath(this.rootFd, path);
    if (fd >= 0) return fd;
    throw new SyscallError({ name: "openat2", text: `openat2(${JSON.stringify(path)})`, errno: -fd });
  }
}
