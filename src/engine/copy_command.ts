/**
 * Challenge mode (ADR 0007): a command that the image lacks and the host has is put on top of the image as a layer of
 * its own. Off unless BUNKER_COPY_COMMAND=1: a file of the host in a container is otherwise nobody's wish.
 */
import { constants, copyFileSync, lstatSync, mkdirSync, statSync } from "node:fs";
import { dirname, normalize } from "node:path";
import { byteString } from "../fs/byte_string.ts";
import type { LayerNode } from "../image/tree/layer_files.ts";
import { isImagePath } from "../store/find_image.ts";
import type { ContainerDirectory } from "./container_directory.ts";
import type { ContainerPlan } from "./run_plan.ts";

/** Makes the layer. @returns its directory relative to the data root, or none when nothing is to be copied. */
export async function copyCommandLayer(
  { root, image, spec }: ContainerPlan,
  { name, path }: Pick<ContainerDirectory, "name" | "path">,
): Promise<readonly string[]> {
  const command = spec.process.args[0] as string;
  if (!command.startsWith("/") || normalize(command) !== command) return [];
  const held = await Promise.all(image.layers.map((layer) => holds(root, layer, command)));
  if (held.includes(true) || !isExecutable(command)) return [];
  const target = `${path}/command${command}`;
  mkdirSync(dirname(target), { recursive: true, mode: 0o755 });
  copyFileSync(command, target, constants.COPYFILE_FICLONE);
  return [`${name}/command`];
}

async function holds(root: string, layer: string, command: string): Promise<boolean> {
  if (!isImagePath(layer)) return exists(`${root}/${layer}${command}`);
  const { openLayerFiles } = await import("../image/tree/open_layer_files.ts");
  using files = openLayerFiles(root, layer);
  let at: LayerNode | undefined = files.root;
  for (const name of byteString(command.slice(1)).split("/"))
    at = at?.kind === "directory" ? files.lookup(at, name) : undefined;
  return at !== undefined;
}

/** Without following a link at its end; a link on the way that leaves the layer only means that it is not copied. */
const exists = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;

function isExecutable(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat?.isFile() === true && (stat.mode & 0o111) !== 0;
}
