/** Writes what {@link LayerFiles} shows to a disk, with everything that it has: by descriptors, never through a symlink. */

import { type ByteString, cBytes } from "../../fs/byte_string.ts";
import { type CopyOptions, clearXattrs, type NodePlace, pathByDescriptor } from "../../fs/copy_node.ts";
import { EINVAL, ENOTSUP, EPERM } from "../../linux/abi/errno.ts";
import { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY, S_IFBLK, S_IFCHR, S_IFIFO } from "../../linux/abi/fcntl.ts";
import { SyscallError } from "../../linux/call.ts";
import {
  Fd,
  fchmodat,
  ftruncate,
  mkdirat,
  mknodat,
  openat,
  pwriteAll,
  symlinkat,
  tryFchownat,
  utimensat,
} from "../../linux/file.ts";
import { trySetxattr } from "../../linux/xattr.ts";
import type { LayerFiles, LayerNode } from "./layer_files.ts";

const BUFFER_SIZE = 256 * 1024;
const NEW_FILE = { flags: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600 };
const DEVICES = { character: S_IFCHR, block: S_IFBLK, fifo: S_IFIFO } as const;

/** A node, and the layer that knows it. */
export interface LayerSource {
  readonly files: LayerFiles;
  readonly node: LayerNode;
}

/**
 * Writes a node, which is no directory, under a name that is free.
 * @returns false for what has no copy: sockets, whiteouts, devices that are left out
 * @throws {SyscallError} EEXIST, ENOSPC, EPERM for a device
 */
export function writeNode({ files, node }: LayerSource, to: NodePlace, options: CopyOptions): boolean {
  const path = cBytes(to.name);
  switch (node.kind) {
    case "file":
      writeContent({ files, node }, to);
      break;
    case "symlink":
      symlinkat(cBytes(files.readLink(node)), to.dirfd, path);
      break;
    case "character":
    case "block":
      if (options.omitDevices === true || !makeDevice(node, to, options)) return false;
      break;
    case "fifo":
      mknodat(to.dirfd, path, { mode: S_IFIFO });
      break;
    default:
      return false;
  }
  writeAttributes({ files, node }, to, options);
  return true;
}

/** Makes a directory as a node is, without its content; times are for the caller to set at last. */
export function writeDirectory(source: LayerSource, to: NodePlace, options: CopyOptions): void {
  mkdirat(to.dirfd, cBytes(to.name), 0o700);
  writeAttributes(source, to, options);
}

/** Gives a file of the same kind what a node has: owner, mode, extended attributes, time. */
export function writeAttributes({ files, node }: LayerSource, to: NodePlace, options: CopyOptions): void {
  const path = cBytes(to.name);
  if (options.ignoreOwners !== true) checked("fchownat", tryFchownat(to.dirfd, path, node));
  clearXattrs(to);
  if (node.kind !== "symlink") fchmodat(to.dirfd, path, node.mode);
  for (const [name, value] of files.xattrs(node)) writeXattr(to, name, value);
  utimensat(to.dirfd, path, { atime: node.mtime, mtime: node.mtime });
}

function writeXattr(to: NodePlace, name: ByteString, value: Uint8Array): void {
  const result = trySetxattr(pathByDescriptor(to), cBytes(name), value);
  // The target may lie on a file system, or in a user namespace, that has no such attribute.
  if (result !== -ENOTSUP && result !== -EPERM && result !== -EINVAL) checked("lsetxattr", result);
}

function makeDevice({ kind, rdev }: LayerNode, to: NodePlace, options: CopyOptions): boolean {
  try {
    const mode = DEVICES[kind === "block" ? "block" : "character"];
    mknodat(to.dirfd, cBytes(to.name), { mode, ...rdev });
    return true;
  } catch (error) {
    if (options.skipDevices === true && error instanceof SyscallError && error.errno === EPERM) return false;
    throw error;
  }
}

function writeContent({ files, node }: LayerSource, to: NodePlace): void {
  using target = new Fd(openat(to.dirfd, cBytes(to.name), NEW_FILE));
  using content = files.open(node);
  for (const { bytes, position } of contentOf(content)) pwriteAll(target.number, bytes, position);
  ftruncate(target.number, node.size);
}

/** Pieces of a file that are not all zeros; each is valid until the next. */
export function* contentOf(
  content: ReturnType<LayerFiles["open"]>,
): Generator<{ readonly bytes: Uint8Array; readonly position: number }> {
  const buffer = Buffer.from(new ArrayBuffer(BUFFER_SIZE));
  const zeros = Buffer.alloc(BUFFER_SIZE);
  for (let position = 0; ; ) {
    const length = content.read(buffer, position);
    if (length === 0) return;
    if (buffer.compare(zeros, 0, length, 0, length) !== 0)
      yield { bytes: buffer.subarray(0, length), position };
    position += length;
  }
}

function checked(name: string, result: number): void {
  if (result < 0) throw new SyscallError({ name, text: `${name}()`, errno: -result });
}
