/** A whole tree as one archive: what `export` writes. */
import type { ByteString } from "../../fs/byte_string.ts";
import { END } from "../tar/writer.ts";
import { isHostXattr } from "../unpack/attributes.ts";
import type { LayerFiles, LayerNode } from "./layer_files.ts";
import { gathered, NodeWriter } from "./node_writer.ts";
import { walkTree } from "./walk_tree.ts";

/**
 * The bytes of the archive, in chunks that are valid until the next is asked for.
 * @param isPassedOver true for paths that are left out [none]
 * @throws {TarError} {SyscallError}
 */
export function writeFlatArchive(
  files: LayerFiles,
  isPassedOver?: (path: ByteString) => boolean,
): Generator<Uint8Array> {
  return gathered(entriesOf(files, isPassedOver));
}

function* entriesOf(files: LayerFiles, isPassedOver?: (path: ByteString) => boolean): Generator<Uint8Array> {
  const writer = new NodeWriter(files);
  if (!isPlainRoot(files)) yield* writer.write("./", files.root);
  for (const { path, node } of walkTree(files, isPassedOver)) yield* writer.write(path, node);
  yield END;
}

/** Most roots are as whoever unpacks the archive makes a directory; then there is no entry for it, as docker has none. */
function isPlainRoot(files: LayerFiles): boolean {
  const { mode, uid, gid }: LayerNode = files.root;
  return mode === 0o755 && uid === 0 && gid === 0 && [...files.xattrs(files.root).keys()].every(isHostXattr);
}
