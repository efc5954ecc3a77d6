/**
 * A command line that cannot be understood. It is reported with the usage line of its command, as docker does; the
 * exit code is docker's too: 125 for an option, 1 for missing or superfluous arguments.
 */
import { type ErrorDetails, UsageError } from "../errors.ts";
import type { CommandSpec } from "./command_spec.ts";

/** Exit code of an option that is unknown or has an impossible value. */
export const EXIT_OPTION = 125;
/** Exit code of missing or superfluous arguments, and of an unknown command. */
export const EXIT_ARGUMENTS = 1;

/** A mistake in the command line itself. */
export class CommandLineError extends UsageError {
  readonly exitCode: number;
  /** Whose words they are, where that is a command below another. */
  command: CommandSpec | undefined;

  constructor(message: string, details: ErrorDetails & { readonly exitCode?: number } = {}) {
    super(message, details);
    this.exitCode = details.exitCode ?? EXIT_OPTION;
  }
}
