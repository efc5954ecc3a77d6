/** What every command does with its words first: parse them, answer `--help`, count the operands. */
import { CommandLineError, EXIT_ARGUMENTS } from "./command_line_error.ts";
import type { CommandSpec } from "./command_spec.ts";
import { type ParsedOptions, parseOptions } from "./options.ts";

/**
 * Parses the words after a command's name.
 * @returns undefined when help was asked for, and has been printed.
 * @throws {CommandLineError} for a wrong option, or a wrong number of operands.
 */
export async function readCommandLine(
  spec: CommandSpec,
  words: readonly string[],
): Promise<ParsedOptions | undefined> {
  const parsed = parseOptions(words, spec);
  if (parsed.flag("help")) {
    const { printHelp } = await import("./help_text.ts");
    printHelp(spec);
    return undefined;
  }
  checkOperands(spec, parsed.operands.length);
  return parsed;
}

function checkOperands({ name, operands: { min, max } }: CommandSpec, count: number): void {
  if (count >= min && count <= max) return;
  const demand =
    max === 0
      ? "accepts no arguments"
      : min === max
        ? `requires ${plural(min)}`
        : count < min
          ? `requires at least ${plural(min)}`
          : `accepts at most ${plural(max)}`;
  throw new CommandLineError(`"bunker ${name}" ${demand}`, { exitCode: EXIT_ARGUMENTS });
}

function plural(count: number): string {
  return count === 1 ? "1 argument" : `${count} arguments`;
}
