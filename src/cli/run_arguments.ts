/**
 * From the words on the command line of `run` to the values that the engine takes. Flags and plain texts are taken
 * here; whatever has to be parsed is left to run_values.ts, loaded only when such an option was given.
 */
import { defaultRunOptions, type RunOptions } from "../engine/options/run_options.ts";
import { CommandLineError } from "./command_line_error.ts";
import type { ParsedOptions } from "./options.ts";

/** Options that need no parsing. */
const PLAIN: ReadonlySet<string> = new Set([
  "entrypoint",
  "explain",
  "init",
  "interactive",
  "platform",
  "privileged",
  "quiet",
  "read-only",
  "rm",
  "tls-verify",
  "tty",
]);

/**
 * Every option of `run` as a typed value.
 * @throws {CommandLineError} naming the option whose value is wrong, with the reason as its cause.
 */
export async function readRunOptions(parsed: ParsedOptions): Promise<RunOptions> {
  const [image = "", ...command] = parsed.operands;
  checkRemoval(parsed);
  const plain: RunOptions = {
    ...defaultRunOptions,
    image,
    command,
    readonlyRoot: parsed.flag("read-only"),
    privileged: parsed.flag("privileged"),
    init: parsed.flag("init"),
    interactive: parsed.flag("interactive"),
    tty: parsed.flag("tty"),
    quiet: parsed.flag("quiet"),
    explain: parsed.flag("explain"),
    platform: parsed.text("platform"),
    tlsVerify: parsed.text("tls-verify") !== "false",
    entrypoint: entrypointOf(parsed.text("entrypoint")),
  };
  if (parsed.names().every((name) => PLAIN.has(name))) return plain;
  const { readRunValues } = await import("./run_values.ts");
  return { ...plain, ...(await readRunValues(parsed)) };
}

/** An empty text removes the image's entry point. */
function entrypointOf(text: string | undefined): readonly string[] | undefined {
  if (text === undefined) return undefined;
  return text === "" ? [] : [text];
}

function checkRemoval(parsed: ParsedOptions): void {
  if (parsed.text("rm") === "false") {
    throw new CommandLineError("--rm=false is not supported yet: a container in the foreground is removed", {
      hint: "Leave out --rm=false, and keep what shall last in a directory given by -v",
    });
  }
}
