/** `bunker rmi`: one image after the other; what cannot be removed is reported, and the others go all the same. */
import type { EngineContext } from "../engine/context.ts";
import type { RemovedImages } from "../engine/remove_image.ts";
import { readCommandLine } from "./command_line.ts";
import { rmiSpec } from "./image_specs.ts";
import { harmless, writeError, writeOut } from "./output.ts";

/** Exit code when an image could not be removed, as docker has it. */
const EXIT_FAILED = 1;

/** Removes the images that the words name. @returns the exit code. */
export async function removeImages(words: readonly string[], context: EngineContext): Promise<number> {
  const parsed = await readCommandLine(rmiSpec, words);
  if (parsed === undefined) return 0;
  const force = parsed.flag("force");
  const { removeImage } = await import("../engine/remove_image.ts");
  let exitCode = 0;
  for (const name of parsed.operands) {
    try {
      // One after the other: each changes the store.
      writeOut(describeRemoved(await removeImage(name, { force }, context)));
    } catch (error) {
      const { describeError } = await import("./report.ts");
      const { explainStorage } = await import("../engine/storage_error.ts");
      writeError(describeError(explainStorage(error, context)));
      if (!force || !isMissing(error)) exitCode = EXIT_FAILED;
    }
  }
  return exitCode;
}

/** docker's lines. */
function describeRemoved({ untagged, deleted }: RemovedImages): string {
  const lines = [...untagged.map((name) => `Untagged: ${name}`), ...deleted.map((id) => `Deleted: ${id}`)];
  return lines.map((line) => `${harmless(line)}\n`).join("");
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "IMAGE_NOT_FOUND";
