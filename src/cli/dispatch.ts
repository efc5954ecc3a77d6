/**
 * From the command line to a command. `run` is reached without the tree of commands, since citty takes 1 ms to load
 * and start-up is the product; every other command is found by citty (tree.ts). Both ways end in the same code.
 */
import type { EngineContext } from "../engine/context.ts";
import { CommandLineError } from "./command_line_error.ts";
import { GLOBAL_OPTIONS } from "./global_options.ts";
import { type ParsedOptions, parseOptions } from "./options.ts";
import { runContainer } from "./run.ts";

/**
 * Runs the command that `words` ask for and reports its errors on stderr.
 * @returns the exit code of the program.
 */
export async function dispatch(words: readonly string[]): Promise<number> {
  let command: string | undefined;
  let context: EngineContext = { debug: false };
  try {
    const globals = parseOptions(words, { options: GLOBAL_OPTIONS, interspersed: false });
    command = globals.operands[0];
    context = contextOf(globals);
    return await execute(globals, context);
  } catch (error) {
    const { report } = await import("./report.ts");
    const { explainStorage } = await import("../engine/storage_error.ts");
    return await report(explainStorage(error, context), { command, debug: context.debug });
  }
}

async function execute(globals: ParsedOptions, context: EngineContext): Promise<number> {
  const [command, ...rest] = globals.operands;
  if (globals.flag("version")) return (await import("./version.ts")).printVersion();
  if (globals.flag("help") || command === undefined) return (await import("./help.ts")).printOverview();
  if (command === "run") return await runContainer(rest, context);
  return (await import("./tree.ts")).runTree(globals.operands, context);
}

function contextOf(globals: ParsedOptions): EngineContext {
  return {
    root: setting(globals, "root", process.env["BUNKER_ROOT"]),
    state: setting(globals, "state", process.env["BUNKER_STATE"]),
    config: setting(globals, "config", process.env["BUNKER_CONFIG"]),
    debug: globals.flag("debug"),
  };
}

/** An option, or else its variable of the environment, where empty means unset. */
function setting(globals: ParsedOptions, name: string, variable: string | undefined): string | undefined {
  const value = globals.text(name) ?? (variable === "" ? undefined : variable);
  if (value === "") throw new CommandLineError(`invalid argument "" for --${name}: expected a path`);
  return value;
}
