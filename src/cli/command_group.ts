/** Commands below a word, e.g. `bunker image prune`: found by their name, and listed by `--help`. */
import type { EngineContext } from "../engine/context.ts";
import { CommandLineError, EXIT_ARGUMENTS } from "./command_line_error.ts";
import type { CommandSpec, Execute } from "./command_spec.ts";
import { parseOptions } from "./options.ts";
import { writeOut } from "./output.ts";

/** One command of a group; `name` is its last word. */
export interface GroupMember {
  readonly name: string;
  /** Other names of the same. */
  readonly aliases?: readonly string[];
  readonly spec: CommandSpec;
  readonly load: () => Promise<Execute>;
}

/** The word that they stand below, and the commands. */
export interface CommandGroup {
  readonly spec: CommandSpec;
  readonly members: readonly GroupMember[];
}

/** Runs the command that the first of `words` names. @throws {CommandLineError} when there is none */
export async function runGroup(
  { spec, members }: CommandGroup,
  words: readonly string[],
  context: EngineContext,
): Promise<number> {
  const parsed = parseOptions(words, spec);
  const [name, ...rest] = parsed.operands;
  if (parsed.flag("help") || name === undefined) return await printGroup({ spec, members });
  const member = await getMember({ spec, members }, name);
  const execute = await member.load();
  try {
    return await execute(rest, context);
  } catch (error) {
    if (error instanceof CommandLineError) error.command ??= member.spec;
    throw error;
  }
}

/** Prints the list of commands. @returns the exit code. */
export async function printGroup({ spec, members }: CommandGroup): Promise<number> {
  const { renderOverview, stdoutColumns } = await import("./help_text.ts");
  const commands = members.map((member) => ({ ...member.spec, name: member.name }));
  const { description, options } = spec;
  const overview = { program: `bunker ${spec.name}`, description, commands, options };
  writeOut(renderOverview(overview, stdoutColumns()));
  return 0;
}

/** The command of that name. @throws {CommandLineError} when there is none */
export async function getMember({ spec, members }: CommandGroup, name: string): Promise<GroupMember> {
  const member = members.find((each) => each.name === name || each.aliases?.includes(name));
  if (member !== undefined) return member;
  const { nearest } = await import("./suggest.ts");
  const near = nearest(
    name,
    members.map((each) => each.name),
  );
  throw new CommandLineError(`"bunker ${spec.name}" has no command "${name}"`, {
    exitCode: EXIT_ARGUMENTS,
    hint: near === undefined ? `See bunker ${spec.name} --help` : `Did you mean ${near}?`,
  });
}
