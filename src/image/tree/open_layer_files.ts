/** Opens a layer of the store in whatever form it is. */

import { isImagePath } from "../../store/find_image.ts";
import { ErofsFiles } from "../erofs/erofs_files.ts";
import { DirectoryFiles } from "./directory_files.ts";
import type { LayerFiles } from "./layer_files.ts";

/**
 * Opens a layer; the caller owns the result.
 * @param root the data root
 * @param layer its path below the root, as image records list it
 * @throws {SyscallError} ENOENT when it is not there
 * @throws {LayerDamaged} when its file is damaged
 */
export function openLayerFiles(root: string, layer: string): LayerFiles {
  return openLayerPath(`${root}/${layer}`);
}

/** The same by absolute path, in the store or on its way there. */
export function openLayerPath(path: string): LayerFiles {
  return isImagePath(path) ? new ErofsFiles(path) : new DirectoryFiles(path);
}
