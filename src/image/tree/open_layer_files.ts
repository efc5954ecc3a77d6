/** Opens a layer of the store in whatever form it is. */
import { DirectoryFiles } from "./directory_files.ts";
import type { LayerFiles } from "./layer_files.ts";

/**
 * Opens a layer; the caller owns the result.
 * @param root the data root
 * @param layer its path below the root, as image records list it
 * @throws {SyscallError} ENOENT when it is not there
 */
export function openLayerFiles(root: string, layer: string): LayerFiles {
  return new DirectoryFiles(`${root}/${layer}`);
}
