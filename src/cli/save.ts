/** `bunker save`: an archive of images to a file or to stdout. */
import type { EngineContext } from "../engine/context.ts";
import { writeChunks } from "../engine/write_all.ts";
import { readCommandLine } from "./command_line.ts";
import { saveSpec } from "./image_specs.ts";
import { withOutput } from "./output_file.ts";

/** Saves images. @returns the exit code. */
export async function save(words: readonly string[], context: EngineContext): Promise<number> {
  const parsed = await readCommandLine(saveSpec, words);
  if (parsed === undefined) return 0;
  await withOutput(parsed.text("output"), "save", async (fd, signal) => {
    const request = { platform: parsed.text("platform") };
    const { saveImages } = await import("../engine/save_images.ts");
    await writeChunks(fd, saveImages(parsed.operands, context, request), signal);
  });
  return 0;
}
