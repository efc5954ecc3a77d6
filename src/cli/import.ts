/** `bunker import`: an image from an archive of files; prints its id. */
import { isatty } from "node:tty";
import type { EngineContext } from "../engine/context.ts";
import { readCommandLine } from "./command_line.ts";
import { CommandLineError } from "./command_line_error.ts";
import { importSpec } from "./container_specs.ts";
import { interruptible } from "./interruption.ts";
import { writeOut } from "./output.ts";
import { sourceDateEpoch } from "./source_date_epoch.ts";

const STDIN = 0;
const EXIT_FAILED = 1;

/** Imports an archive. @returns the exit code. */
export async function importArchive(words: readonly string[], context: EngineContext): Promise<number> {
  const parsed = await readCommandLine(importSpec, words);
  if (parsed === undefined) return 0;
  const [word = "", reference] = parsed.operands;
  if (word === "")
    throw new CommandLineError('invalid argument "": expected a file, a URL, or "-" for stdin');
  if (word === "-" && isatty(STDIN)) {
    throw new CommandLineError("requested import from stdin, but stdin is a terminal", {
      exitCode: EXIT_FAILED,
    });
  }
  const { importImage } = await import("../engine/import.ts");
  const id = await importImage(
    {
      source: word,
      reference,
      changes: parsed.list("change"),
      message: parsed.text("message"),
      platform: parsed.text("platform"),
      createdAt: sourceDateEpoch(),
    },
    { ...context, interruptible },
  );
  writeOut(`${id}\n`);
  return 0;
}
