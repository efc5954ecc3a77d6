/** `bunker save`: an archive of images to a file or to stdout. */
import { writeSync } from "node:fs";
import type { EngineContext } from "../engine/context.ts";
import { readCommandLine } from "./command_line.ts";
import { saveSpec } from "./image_specs.ts";
import { withOutput } from "./output_file.ts";

/** Milliseconds between two tries while a pipe that does not block is full. */
const RETRY_MS = 5;

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

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(fd, bytes, done);
    } catch (error) {
      // The caller's end may be set to non-blocking.
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Bun.sleepSync(RETRY_MS);
    }
  }
}
