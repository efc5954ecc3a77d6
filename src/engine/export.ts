/** `export`: all files of a container or of an image as one archive. */
import { writeFlatArchive } from "../image/tree/flat_archive.ts";
import type { EngineContext } from "./context.ts";
import { dataRoot } from "./directories.ts";
import { getLocalImage, NoSuchImageError } from "./local_image.ts";
import { openMergedLayers } from "./merged_layers.ts";
import {
  ContainerTree,
  containerPath,
  findContainer,
  getContainer,
  NoSuchContainerError,
} from "./running_container.ts";
import { giveUpper } from "./upper_in_memory.ts";
import { writeChunks } from "./write_all.ts";

/** What is exported, by the process that may read all of it. */
export interface ExportHere {
  /** Data root. */
  readonly root: string;
  /** Id of a container, or the layers of an image, as records list them, bottom first. */
  readonly from: { readonly container: string } | { readonly layers: readonly string[] };
  /** Number of the descriptor of the container's layer, where that lies in memory. */
  readonly upper?: number | undefined;
}

/**
 * Writes what a container shows, or an image when no container has that name: files of volumes are left out.
 * @param output a descriptor
 * @throws {NoSuchContainerError} when there is neither
 * @throws {ContainerEndedError} {UsageError} for a container whose files cannot be reached
 */
export async function exportFiles(word: string, output: number, context: EngineContext): Promise<void> {
  const root = dataRoot(context);
  const container = findContainer(root, word);
  const from = container === undefined ? { layers: layersOf(root, word) } : { container: container.id };
  await exportWhole({ root, from }, output, context);
}

/** Writes what an image shows. @param output a descriptor @throws {NoSuchImageError} */
export async function exportImage(image: string, output: number, context: EngineContext): Promise<void> {
  const root = dataRoot(context);
  await exportWhole({ root, from: { layers: getLocalImage(root, image).layers } }, output, context);
}

function layersOf(root: string, word: string): readonly string[] {
  try {
    return getLocalImage(root, word).layers;
  } catch (error) {
    // A word that is no reference is no image either.
    if (error instanceof NoSuchImageError || error instanceof SyntaxError)
      throw new NoSuchContainerError(word);
    throw error;
  }
}

async function exportWhole(what: ExportHere, output: number, context: EngineContext): Promise<void> {
  const work = async (signal?: AbortSignal): Promise<void> => {
    if (process.getuid?.() === 0) return exportHere(what, output, signal);
    const { idMapsOfUser } = await import("./rootless.ts");
    const { FIRST_GIVEN_FD, runTask } = await import("./user_namespace_task.ts");
    using given =
      "layers" in what.from
        ? undefined
        : giveUpper(containerPath(what.root, what.from.container), FIRST_GIVEN_FD + 1);
    const inherit = [output, ...(given?.inherit ?? [])];
    await runTask({ kind: "export", ...what, ...given?.upper }, idMapsOfUser(), { signal, inherit });
  };
  await (context.interruptible?.(work) ?? work());
}

/** Exports as the user that this process is, root of some namespace. */
export async function exportHere(
  { root, from, upper }: ExportHere,
  output: number,
  signal?: AbortSignal,
): Promise<void> {
  if ("layers" in from) {
    using files = openMergedLayers(root, from.layers);
    return await writeChunks(output, writeFlatArchive(files), signal);
  }
  using tree = new ContainerTree(root, getContainer(root, from.container), upper);
  try {
    const { files, isOwn } = tree.openShown();
    await writeChunks(output, writeFlatArchive(files, isOwn), signal);
    tree.checkAlive();
  } catch (error) {
    throw tree.explain(error);
  }
}
