/** Errors for words that name no command, or too few or too many things. The texts are runc's. */
import { CommandLineError } from "../command_line_error.ts";
import { nearest } from "../suggest.ts";
import { commandNames } from "./commands.ts";

/** Exit code of an unknown command, as runc's. */
export const EXIT_UNKNOWN_COMMAND = 3;

/** Names the word that is no command, and the command that was probably meant. */
export function unknownCommand(word: string): CommandLineError {
  const near = nearest(word, commandNames());
  return new CommandLineError(`No help topic for "${word}"`, {
    exitCode: EXIT_UNKNOWN_COMMAND,
    ...(near === undefined ? {} : { hint: `Did you mean "${near}"?` }),
  });
}

/** Says how many operands a command takes: `exactly 1`, `a minimum of 1`. */
export function wrongOperands(command: string, demand: string): CommandLineError {
  return new CommandLineError(`"${command}" requires ${demand} argument(s)`);
}
