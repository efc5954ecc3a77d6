/** Opens the layers of an image for questions about its files. */
import { BunkerError } from "../errors.ts";
import { quoteBytes } from "../fs/byte_string.ts";
import type { LayerFiles } from "../image/tree/layer_files.ts";
import { openLayerFiles } from "../image/tree/open_layer_files.ts";
import { type ResolvedPath, resolvePath } from "../image/tree/resolve_path.ts";
import type { StoredImage } from "../store/find_image.ts";

/** There is no such path in the image. */
export class NoSuchPathError extends BunkerError {
  readonly code = "PATH_NOT_FOUND";
  readonly exitCode = 1;

  constructor(path: string, state = "it has no such file") {
    super(`Cannot find ${quoteBytes(path)} in the image: ${state}`, {
      hint: "See what it has with bunker image ls IMAGE /",
    });
  }
}

/** What can be asked; paths are bytes as latin1 text. */
export interface ViewQuestion {
  readonly kind: "list" | "trace";
  readonly image: string;
  readonly path: string;
  /** Of `list`: everything below as well. */
  readonly isRecursive: boolean;
  /** Of `list`: follow a symlink at the path's end. */
  readonly followLast: boolean;
}

/** Opens the layers of an image, top first; the caller owns them. */
export function openLayers(root: string, { layers }: StoredImage): LayerFiles[] {
  using stack = new DisposableStack();
  const opened = layers.toReversed().map((layer) => stack.use(openLayerFiles(root, layer)));
  stack.move();
  return opened;
}

/** @throws {NoSuchPathError} for a path that goes round in circles */
export function resolve(
  files: LayerFiles,
  { path, followLast }: Pick<ViewQuestion, "path" | "followLast">,
): ResolvedPath {
  const resolved = resolvePath(files, path, { followLast: followLast || path.endsWith("/") });
  if (resolved === undefined) throw new NoSuchPathError(path, "it goes through too many symbolic links");
  return resolved;
}
