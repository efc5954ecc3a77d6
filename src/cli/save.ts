/** `bunker save`: an archive of images to a file or to stdout. */
import type { EngineContext } from "../engine/context.ts";
import { writeAll } from "../engine/write_all.ts";
import { readCommandLine } from "./command_line.ts";
import { saveSpec } from "./image_specs.ts";
import { withOutput } from "./output_file.ts";

/** Saves images. @returns the exit code. */
export async function save(words: readonly string[], context: EngineContext): Promise<number> {
  const parsed = await readCommandLine(saveSpec, words);
  if (parsed === undefined) return 0;
  await withOutput(parsed.text("output"), "save", async (fd) => {
    const request = { platform: parsed.text("platform") };
    const { saveImages } = await import("../engine/save_images.ts");
    for (const chunk of saveImages(parsed.operands, context, request)) writeAll(fd, chunk);
  });
  return 0;
}
