/** `bunker load`: docker's lines about what was loaded. */
import { resolve } from "node:path";
import { isatty } from "node:tty";
import type { EngineContext } from "../engine/context.ts";
import { readCommandLine } from "./command_line.ts";
import { CommandLineError } from "./command_line_error.ts";
import { loadSpec } from "./image_specs.ts";
import { interruptible } from "./interruption.ts";
import { harmless, writeOut } from "./output.ts";

const STDIN = 0;
const EXIT_FAILED = 1;

/** Loads images. @returns the exit code. */
export async function load(words: readonly string[], context: EngineContext): Promise<number> {
  const parsed = await readCommandLine(loadSpec, words);
  if (parsed === undefined) return 0;
  const file = parsed.text("input");
  if (file === "") throw new CommandLineError('invalid argument "" for --input: expected a path');
  if (file === undefined && isatty(STDIN)) {
    throw new CommandLineError("requested load from stdin, but stdin is a terminal", {
      exitCode: EXIT_FAILED,
    });
  }
  const { loadImages } = await import("../engine/load_images.ts");
  const path = file === undefined ? undefined : resolve(file);
  const loaded = await loadImages(path, { ...context, interruptible }, { platform: parsed.text("platform") });
  const lines = loaded.map(({ id, name }) =>
    name === undefined ? `Loaded image ID: ${id}` : `Loaded image: ${name}`,
  );
  writeOut(lines.map((line) => `${harmless(line)}\n`).join(""));
  return 0;
}
