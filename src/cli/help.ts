/** `bunker help`, which is also what `bunker` alone prints. */
import { readCommandLine } from "./command_line.ts";
import { overviewOf, printHelp, renderOverview, stdoutColumns } from "./help_text.ts";
import { writeOut } from "./output.ts";
import { COMMANDS, findSpec, helpSpec } from "./specs.ts";
import { unknownCommand } from "./unknown_command.ts";

/** Prints the help of the command that the words name, or the overview. @returns the exit code. */
export async function printHelpOf(words: readonly string[]): Promise<number> {
  const parsed = await readCommandLine(helpSpec, words);
  if (parsed === undefined) return 0;
  const [name] = parsed.operands;
  if (name === undefined) return printOverview();
  const spec = findSpec(name);
  if (spec === undefined) throw unknownCommand(name);
  return printHelp(spec);
}

/** Prints the list of commands and the global options. @returns the exit code. */
export function printOverview(): number {
  writeOut(renderOverview(overviewOf(COMMANDS), stdoutColumns()));
  return 0;
}
