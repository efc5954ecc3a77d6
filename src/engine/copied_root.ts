/**
 * A container's root as a plain directory: the image's layers merged into one, for machines that refuse overlayfs or
 * every mount(2), and for layers that overlayfs cannot read. Costs a copy of the image at each start.
 */
import { mkdirSync } from "node:fs";
import { basename, dirname } from "node:path";
import { flattenLayers } from "../fs/copy_tree.ts";
import { MergedFiles } from "../image/tree/merged_files.ts";
import { openLayerFiles } from "../image/tree/open_layer_files.ts";
import { writeTree } from "../image/tree/write_tree.ts";
import { isImagePath } from "../store/find_image.ts";
import { readLayerRecord } from "../store/layers.ts";
import { layerDirectory } from "../store/layout.ts";
import { idMapsOfUser } from "./rootless.ts";
import { runTask } from "./user_namespace_task.ts";

/** Layers of the data root. */
export interface LayerStack {
  /** Data root. */
  readonly root: string;
  /** Paths of layers relative to the data root, top first. */
  readonly lower: readonly string[];
}

/** Name of the merged root in the container's directory. */
export const COPIED_ROOT = "root";

/**
 * Merges the layers into a new directory below `directory`. As an ordinary user a second process does it, as root of
 * a user namespace, where files have their owners.
 * @param stack its `lower` top first, relative to `root`
 * @returns the absolute path of the merged directory
 * @throws {SyscallError} ENOSPC …
 * @throws {RelayedError} as an ordinary user
 */
export async function copyRoot(
  root: string,
  { lower, directory }: { readonly lower: readonly string[]; readonly directory: string },
): Promise<string> {
  const target = `${directory}/${COPIED_ROOT}`;
  if (process.getuid?.() === 0) copyLayers({ root, lower }, target);
  else await runTask({ kind: "copy", root, lower, target }, idMapsOfUser());
  return target;
}

/**
 * Merges the layers into `target`, which is made.
 * @throws {SyscallError} ENOSPC …: `target` is then to be removed
 */
export function copyLayers({ root, lower }: LayerStack, target: string): void {
  if (lower.some(isImagePath)) {
    writeMerged({ root, lower }, target);
    return;
  }
  for (const layer of lower.toReversed()) {
    // No mount option forbids to open device nodes of an image here; /dev is made apart from the layers.
    flattenLayers([`${root}/${layer}`], target, { whiteouts: whiteoutsOf(root, layer), omitDevices: true });
  }
}

/** Images cannot be merged one after the other: what shows is found first. */
function writeMerged({ root, lower }: LayerStack, target: string): void {
  mkdirSync(target, { mode: 0o755 });
  using merged = new MergedFiles(lower.map((layer) => openLayerFiles(root, layer)));
  writeTree(merged, target, { omitDevices: true });
}

/** How a layer marks what it hides; directories that are no layers of an image hide nothing. */
function whiteoutsOf(root: string, layer: string): "trusted" | "user" | "files" {
  const name = basename(layer);
  if (dirname(layer) !== dirname(layerDirectory(name))) return "trusted";
  return readLayerRecord(root, name)?.overlayXattrs ?? "trusted";
}
