/** Takes the directories of an image into memory, as they were before they were written. */

import type { LayerNode } from "../tree/layer_files.ts";
import { typeBitsOf } from "../tree/node_kinds.ts";
import type { ErofsFiles } from "./erofs_files.ts";
import { BLOCK_SIZE, FILE_TYPE, SLOT_SIZE } from "./format.ts";
import { type ImageDirectory, newImageDirectory, packFile } from "./image_directory.ts";
import { blockBytesOf, type ErofsNode } from "./image_reader.ts";

/** The tree of an image. */
export interface LoadedDirectories {
  readonly root: ImageDirectory;
  /** Directories. */
  readonly count: number;
  /** Where the files end and the directories begin. */
  readonly end: number;
}

/** Reads all directories. @throws {LayerDamaged} */
export function loadDirectories(files: ErofsFiles): LoadedDirectories {
  const root = newImageDirectory(undefined, 0);
  const pending: Array<readonly [LayerNode, ImageDirectory]> = [[files.root, root]];
  let count = 0;
  let end = files.reader.sizeBytes;
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [node, directory] = next;
    count += 1;
    end = Math.min(end, beginOf(node as ErofsNode, files));
    describe(files, node, directory);
    for (const name of files.list(node)) {
      const child = files.lookup(node, name);
      if (child === undefined) continue;
      if (child.kind === "directory") {
        const inner = newImageDirectory(directory, 0);
        directory.entries.set(name, inner);
        pending.push([child, inner]);
      } else {
        directory.entries.set(
          name,
          packFile((child as ErofsNode).nid, FILE_TYPE[typeBitsOf(child.kind) >> 12] ?? 0),
        );
      }
    }
  }
  return { root, count, end };
}

function describe(files: ErofsFiles, node: LayerNode, directory: ImageDirectory): void {
  const { mode, uid, gid, mtime } = node;
  const xattrs = [...files.xattrs(node)].map(
    ([name, value]) => [name, Buffer.from(value).toString("latin1")] as const,
  );
  Object.assign(directory, { mode, uid, gid, mtime, xattrs: new Map(xattrs), opaque: files.isOpaque(node) });
}

/** First block of the file that belongs to a directory; the root's inode is in block 0. */
function beginOf(node: ErofsNode, { root, reader }: ErofsFiles): number {
  const inode = node === root ? reader.sizeBytes : node.nid * SLOT_SIZE;
  const data = blockBytesOf(node) > 0 ? node.block * BLOCK_SIZE : reader.sizeBytes;
  const first = Math.min(inode, data);
  return first - (first % BLOCK_SIZE);
}
