/** `bunker save`: an archive of images to a file or to stdout. */
import type { EngineContext } from "../engine/context.ts";
import { writeChunks } from "../engine/write_all.ts";
import { readCommandLine } from "./command_line.ts";
import { saveSpec } from "./image_specs.ts";
import { interruptible } from "./interruption.ts";
import { withOutput } from "./output_file.ts";

/** Saves images. @returns the exit code. */
export async function save(words: readonly string[], context: EngineContext): Promise<number> {
  const parsed = await readCommandLine(saveSpec, words);
  if (parsed === undefined) return 0;
  const file = parsed.text("output");
  await withOutput(file, "save", async (fd) => {
    const request = { platform: parsed.text("platform") };
    const { saveImages } = await import("../engine/save_images.ts");
    const chunks = saveImages(parsed.operands, context, request);
    // A signal ends what goes to a pipe at once, also while nobody reads it: nothing is to be cleaned up there.
    if (file === undefined) await writeChunks(fd, chunks);
    else await interruptible((signal) => writeChunks(fd, chunks, signal));
  });
  return 0;
}
