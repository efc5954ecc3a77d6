/** `bunker save`: an archive to a file, which is there whole or not at all, or to stdout. */
import { closeSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { isatty } from "node:tty";
import type { EngineContext } from "../engine/context.ts";
import { readCommandLine } from "./command_line.ts";
import { CommandLineError } from "./command_line_error.ts";
import { saveSpec } from "./image_specs.ts";

const STDOUT = 1;
/** Milliseconds between two tries while a pipe that does not block is full. */
const RETRY_MS = 5;
const EXIT_FAILED = 1;

/** Saves images. @returns the exit code. */
export async function save(words: readonly string[], context: EngineContext): Promise<number> {
  const parsed = await readCommandLine(saveSpec, words);
  if (parsed === undefined) return 0;
  const file = parsed.text("output");
  if (file === undefined && isatty(STDOUT)) {
    throw new CommandLineError("cowardly refusing to save to a terminal. Use the -o flag or redirect", {
      exitCode: EXIT_FAILED,
    });
  }
  const { saveImages } = await import("../engine/save_images.ts");
  const chunks = saveImages(parsed.operands, context);
  if (file === undefined) for (const chunk of chunks) writeAll(STDOUT, chunk);
  else toFile(file, chunks);
  return 0;
}

function toFile(path: string, chunks: Iterable<Uint8Array>): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const fd = openSync(temporary, "wx", 0o600);
    try {
      for (const chunk of chunks) writeAll(fd, chunk);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
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
