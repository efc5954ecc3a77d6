/** The error for a command that does not exist. */
import { CommandLineError, EXIT_ARGUMENTS } from "./command_line_error.ts";
import { COMMANDS } from "./specs.ts";
import { nearest } from "./suggest.ts";

/** Names the word that is no command, and the command that was probably meant. */
export function unknownCommand(word: string): CommandLineError {
  const near = nearest(
    word,
    COMMANDS.map(({ name }) => name),
  );
  return new CommandLineError(`unknown command: "bunker ${word}"`, {
    exitCode: EXIT_ARGUMENTS,
    ...(near === undefined ? {} : { hint: `Did you mean "bunker ${near}"?` }),
  });
}
