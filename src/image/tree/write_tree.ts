/** Writes a whole tree that {@link LayerFiles} shows into a directory, with hard links kept. */
import { type ByteString, cBytes } from "../../fs/byte_string.ts";
import type { CopyOptions } from "../../fs/copy_node.ts";
import { EMLINK } from "../../linux/abi/errno.ts";
import { AT_FDCWD, O_DIRECTORY, O_NOFOLLOW, O_RDONLY } from "../../linux/abi/fcntl.ts";
import { SyscallError } from "../../linux/call.ts";
import { Fd, openat, tryLinkat, utimensat } from "../../linux/file.ts";
import type { LayerFiles, LayerNode } from "./layer_files.ts";
import { writeAttributes, writeDirectory, writeNode } from "./write_node.ts";

const READ = { flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW };

/**
 * Writes what a stack of layers shows.
 * @param target absolute path of an empty directory
 * @throws {SyscallError} ENOSPC …: the target is then to be thrown away
 */
export function writeTree(files: LayerFiles, target: string, options: CopyOptions): void {
  using root = new Fd(openat(AT_FDCWD, target, READ));
  new TreeWriter(files, root.number, options).writeInto(root.number, files.root, "");
  writeAttributes({ files, node: files.root }, { dirfd: root.number, name: "." }, options);
}

class TreeWriter {
  readonly #files: LayerFiles;
  readonly #rootFd: number;
  readonly #options: CopyOptions;
  /** Path of the first name of a file with several, below the root. */
  readonly #links = new Map<string, ByteString>();

  constructor(files: LayerFiles, rootFd: number, options: CopyOptions) {
    this.#files = files;
    this.#rootFd = rootFd;
    this.#options = options;
  }

  /** @param path of the directory below the root, with a "/" at the end unless it is the root */
  writeInto(dirfd: number, directory: LayerNode, path: ByteString): void {
    const files = this.#files;
    for (const name of files.list(directory)) {
      const node = files.lookup(directory, name);
      if (node === undefined) continue;
      if (node.kind !== "directory") {
        this.#writeFile(dirfd, { node, name, path });
        continue;
      }
      writeDirectory({ files, node }, { dirfd, name }, this.#options);
      using inner = new Fd(openat(dirfd, cBytes(name), READ));
      this.writeInto(inner.number, node, `${path}${name}/`);
      utimensat(dirfd, cBytes(name), { atime: node.mtime, mtime: node.mtime });
    }
  }

  #writeFile(dirfd: number, { node, name, path }: Child): void {
    const { linkKey } = node;
    const first = linkKey === undefined ? undefined : this.#links.get(linkKey);
    if (first !== undefined && this.#link(first, dirfd, name)) return;
    const isWritten = writeNode({ files: this.#files, node }, { dirfd, name }, this.#options);
    if (isWritten && linkKey !== undefined) this.#links.set(linkKey, path + name);
  }

  #link(first: ByteString, dirfd: number, name: ByteString): boolean {
    const result = tryLinkat({ dirfd: this.#rootFd, path: cBytes(first) }, { dirfd, path: cBytes(name) });
    if (result === 0) return true;
    if (result === -EMLINK) return false;
    throw new SyscallError({ name: "linkat", text: `linkat(${JSON.stringify(name)})`, errno: -result });
  }
}

interface Child {
  readonly node: LayerNode;
  readonly name: ByteString;
  readonly path: ByteString;
}
