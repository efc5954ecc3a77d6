/**
 * The command line of an OCI runtime: `bunker oci COMMAND …`, or the executable called as `bunker-oci` or `runc`. It
 * takes what callers of runc give, and answers what they parse; what a command does is the engine's (engine/bundle).
 */
import type { ParsedOptions } from "../options.ts";
import { parseOptions } from "../options.ts";
import type { Command, Session } from "./command.ts";
import { findCommand } from "./commands.ts";
import { contextOf, GLOBAL_OPTIONS } from "./global_options.ts";
import { type Log, openLog, STDERR_LOG } from "./log.ts";

/**
 * Runs the command that `words` ask for and logs its error; `program` is the name that it was started by.
 * @returns the exit code of the program.
 */
export async function runRuntime(words: readonly string[], program: string): Promise<number> {
  const state: { log: Log; command: string | undefined } = { log: STDERR_LOG, command: undefined };
  try {
    const globals = parseOptions(words, { options: GLOBAL_OPTIONS, interspersed: false, singleDash: true });
    state.command = globals.operands[0];
    if (globals.flag("version")) return (await import("./version.ts")).printRuntimeVersion(program);
    state.log = openLog(globals);
    return await execute(globals, state.log, program);
  } catch (error) {
    const { reportFailure } = await import("./failure.ts");
    return reportFailure(error, state);
  }
}

async function execute(globals: ParsedOptions, log: Log, program: string): Promise<number> {
  const [name, ...words] = globals.operands;
  if (globals.flag("help") || name === undefined || name === "help" || name === "h") {
    return (await import("./help.ts")).printRuntimeHelp(program, words);
  }
  const command = await findCommand(name);
  if (command === undefined) throw (await import("./unknown_command.ts")).unknownCommand(name);
  const parsed = parseOptions(words, { ...command, singleDash: true });
  if (parsed.flag("help")) return (await import("./help.ts")).printRuntimeHelp(program, [name]);
  await checkOperands(command, parsed.operands.length);
  const session: Session = { context: await contextOf(globals, log.write), program, globals };
  return command.execute(parsed, session);
}

async function checkOperands({ name, operands: { min, max } }: Command, count: number): Promise<void> {
  if (count >= min && count <= max) return;
  const { wrongOperands } = await import("./unknown_command.ts");
  throw wrongOperands(
    name,
    min === max ? `exactly ${min}` : count < min ? `a minimum of ${min}` : `a maximum of ${max}`,
  );
}
