/**
 * The tree of commands, kept by citty: it finds the command that a word names, loads it, and runs it. Arguments are
 * parsed by options.ts, for the reasons given there, so the tree hands the words over as they are.
 */
import { type CommandDef, defineCommand, runCommand } from "citty";
import type { EngineContext } from "../engine/context.ts";
import type { CommandSpec, Execute } from "./command_spec.ts";
import { COMMANDS, findSpec } from "./specs.ts";
import { unknownCommand } from "./unknown_command.ts";

/**
 * Finds the command that the first of `words` names, and runs it with the others. Whether there is one is asked before:
 * citty looks for the first word without a dash, and `bunker ""` is told apart from `bunker`.
 * @returns the exit code of the command.
 * @throws {CommandLineError} when there is no such command.
 */
export async function runTree(words: readonly string[], context: EngineContext): Promise<number> {
  if (findSpec(words[0] ?? "") === undefined) throw unknownCommand(words[0] ?? "");
  // citty keeps the result of a sub command to itself, so the command leaves its exit code here.
  const outcome = { exitCode: 0 };
  const root = defineCommand({ meta: { name: "bunker" }, subCommands: subCommands(context, outcome) });
  await runCommand(root, { rawArgs: [...words] });
  return outcome.exitCode;
}

function subCommands(
  context: EngineContext,
  outcome: { exitCode: number },
): Record<string, () => Promise<CommandDef>> {
  // Without a prototype, since citty looks names up by `in`: "constructor" is no command.
  const commands: Record<string, () => Promise<CommandDef>> = Object.create(null);
  for (const spec of COMMANDS) {
    commands[spec.name] = async () => leaf(spec, await loadExecute(spec), { context, outcome });
  }
  return commands;
}

interface Session {
  readonly context: EngineContext;
  readonly outcome: { exitCode: number };
}

function leaf(spec: CommandSpec, execute: Execute, { context, outcome }: Session): CommandDef {
  return defineCommand({
    meta: { name: spec.name, description: spec.description },
    async run({ rawArgs }) {
      outcome.exitCode = await execute(rawArgs, context);
    },
  });
}

async function loadExecute({ name }: CommandSpec): Promise<Execute> {
  switch (name) {
    case "run":
      return (await import("./run.ts")).runContainer;
    case "pull":
      return (await import("./pull.ts")).pullImage;
    case "push":
      return (await import("./push.ts")).pushImage;
    case "copy":
      return (await import("./copy.ts")).copy;
    case "login":
      return (await import("./login.ts")).logIn;
    case "logout":
      return (await import("./logout.ts")).logOut;
    case "images":
      return (await import("./images.ts")).printImages;
    case "tag":
      return (await import("./tag.ts")).tag;
    case "rmi":
      return (await import("./rmi.ts")).removeImages;
    case "inspect":
      return (await import("./inspect.ts")).inspect;
    case "history":
      return (await import("./history.ts")).printHistory;
    case "save":
      return (await import("./save.ts")).save;
    case "load":
      return (await import("./load.ts")).load;
    case "export":
      return (await import("./export.ts")).exportContainer;
    case "import":
      return (await import("./import.ts")).importArchive;
    case "diff":
      return (await import("./diff.ts")).printChanges;
    case "commit":
      return (await import("./commit.ts")).commit;
    case "image":
      return (await import("./image.ts")).runImageCommand;
    case "system":
      return (await import("./system.ts")).runSystemCommand;
    case "info":
      return (await import("./info.ts")).printInfo;
    case "version":
      return (await import("./version.ts")).printVersions;
    case "oci":
      return async (words) => (await import("./runc/main.ts")).runRuntime(words, "bunker oci");
    case "help":
      return (await import("./help.ts")).printHelpOf;
    default:
      throw new Error(`Cannot happen: the command "${name}" has no code`);
  }
}
