/** `help`, `--help`, and what the runtime prints without a command. */
import { overviewOf, printHelp, renderOverview, stdoutColumns } from "../help_text.ts";
import { writeOut } from "../output.ts";
import type { Command } from "./command.ts";
import { commandNames, findCommand } from "./commands.ts";
import { GLOBAL_OPTIONS } from "./global_options.ts";
import { unknownCommand } from "./unknown_command.ts";

/**
 * Prints the help of the command that the words name, or the overview.
 * @returns the exit code.
 * @throws {CommandLineError} when there is no such command.
 */
export async function printRuntimeHelp(program: string, [name]: readonly string[]): Promise<number> {
  if (name !== undefined) {
    const command = await findCommand(name);
    if (command === undefined) throw unknownCommand(name);
    // Here, not in the tables: help alone needs the order.
    const options = command.options.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    return printHelp({ ...command, options }, program);
  }
  const found = await Promise.all(commandNames().map(findCommand));
  const commands = found.filter((command): command is Command => command !== undefined);
  const overview = {
    ...overviewOf(commands),
    program,
    description: "An OCI runtime",
    options: GLOBAL_OPTIONS,
  };
  writeOut(renderOverview(overview, stdoutColumns()));
  return 0;
}
