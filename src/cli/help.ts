/** `bunker help`, which is also what `bunker` alone prints. */
import { type CommandGroup, getMember, printGroup } from "./command_group.ts";
import { readCommandLine } from "./command_line.ts";
import { overviewOf, printHelp, renderOverview, stdoutColumns } from "./help_text.ts";
import { writeOut } from "./output.ts";
import { COMMANDS, findSpec, helpSpec } from "./specs.ts";
import { unknownCommand } from "./unknown_command.ts";

/** Prints the help of the command that the words name, or the overview. @returns the exit code. */
export async function printHelpOf(words: readonly string[]): Promise<number> {
  const parsed = await readCommandLine(helpSpec, words);
  if (parsed === undefined) return 0;
  const [name, member] = parsed.operands;
  if (name === undefined) return printOverview();
  if (member !== undefined) return await printMember(name, member);
  if (name === "oci") return (await import("./runc/help.ts")).printRuntimeHelp("bunker oci", []);
  const group = await findGroup(name);
  if (group !== undefined) return printGroup(group);
  const spec = findSpec(name);
  if (spec === undefined) throw unknownCommand(name);
  return printHelp(spec);
}

/** Prints the help of a command below another. @throws {CommandLineError} when there is none */
async function printMember(name: string, member: string): Promise<number> {
  if (name === "oci") return (await import("./runc/help.ts")).printRuntimeHelp("bunker oci", [member]);
  const group = await findGroup(name);
  if (group === undefined) throw unknownCommand(`${name} ${member}`);
  return printHelp((await getMember(group, member)).spec);
}

async function findGroup(name: string): Promise<CommandGroup | undefined> {
  if (name === "image") return (await import("./image.ts")).IMAGE_GROUP;
  return name === "system" ? (await import("./system.ts")).SYSTEM_GROUP : undefined;
}

/** Prints the list of commands and the global options. @returns the exit code. */
export function printOverview(): number {
  writeOut(renderOverview(overviewOf(COMMANDS), stdoutColumns()));
  return 0;
}
