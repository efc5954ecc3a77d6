/** What a command of the OCI runtime is made of, and the options that several have. */
import type { RuntimeContext } from "../../engine/bundle/context.ts";
import { CommandLineError } from "../command_line_error.ts";
import { type CommandSpec, HELP } from "../command_spec.ts";
import type { OptionSpec, ParsedOptions } from "../options.ts";

/** What every command gets besides its own words. */
export interface Session {
  readonly context: RuntimeContext;
  /** The name that the program was started by: `bunker oci`, `bunker-oci`, `runc`. */
  readonly program: string;
  /** Values of the options before the command. */
  readonly globals: ParsedOptions;
}

/** One command of the runtime. */
export interface Command extends CommandSpec {
  /** Runs it. @returns the exit code of the program. */
  readonly execute: (parsed: ParsedOptions, session: Session) => Promise<number>;
}

/** The operand of most commands, and how many there are. */
export const ONE_CONTAINER = { min: 1, max: 1 } as const;

/** `--help`, and nothing else. */
export const NO_OPTIONS: readonly OptionSpec[] = [HELP];

/** Where the bundle is; the current directory when left out. */
export const BUNDLE: OptionSpec = {
  name: "bundle",
  alias: "b",
  kind: "string",
  value: "dir",
  help: "Directory of the bundle (default: the current directory)",
};

/** Another configuration than the bundle's, as crun has it. */
export const CONFIG: OptionSpec = {
  name: "config",
  kind: "string",
  value: "file",
  help: "Configuration file in place of the bundle's config.json",
};

/** Options of create, run and exec: what goes over to the caller, and what stays open. */
export const HANDOVER: readonly OptionSpec[] = [
  {
    name: "console-socket",
    kind: "string",
    value: "path",
    help: "Unix socket that receives the master of the terminal",
  },
  {
    name: "pidfd-socket",
    kind: "string",
    value: "path",
    help: "Unix socket that receives a pidfd of the process",
  },
  { name: "pid-file", kind: "string", value: "file", help: "File that the process id is written to" },
  {
    name: "preserve-fds",
    kind: "string",
    value: "n",
    help: "Descriptors above stderr that the process inherits (default 0)",
  },
];

/** `--detach`. */
export const DETACH: OptionSpec = {
  name: "detach",
  alias: "d",
  kind: "boolean",
  help: "Return as soon as the process runs",
};

/** `--format` of list, ps and check. */
export const TABLE_OR_JSON: OptionSpec = {
  name: "format",
  alias: "f",
  kind: "string",
  value: "table|json",
  help: "Format of the output (default table)",
};

/** Whether JSON was asked for. @throws {CommandLineError} for anything but table and json. */
export function wantsJson(parsed: ParsedOptions): boolean {
  const format = parsed.text("format") ?? "table";
  if (format !== "table" && format !== "json") {
    throw new CommandLineError(`invalid format option "${format}": expected table or json`);
  }
  return format === "json";
}

/** The container's id, which the number of operands has been checked for. */
export function idOf({ operands }: ParsedOptions): string {
  return operands[0] ?? "";
}
