/** The commands by name; each is loaded by the run that needs it. */
import type { Command } from "./command.ts";

/** Where a command's code is. */
type Load = () => Promise<{ readonly command: Command }>;

/** In the order of `--help`. */
const COMMANDS: ReadonlyMap<string, Load> = new Map<string, Load>([
  ["spec", () => import("./spec.ts")],
  ["check", () => import("./check.ts")],
  ["features", () => import("./features.ts")],
]);

/** The names of all commands, in the order of `--help`. */
export const COMMAND_NAMES: readonly string[] = [...COMMANDS.keys()];

/** The command called `name`; undefined when there is none. */
export async function findCommand(name: string): Promise<Command | undefined> {
  return (await COMMANDS.get(name)?.())?.command;
}
