/** `--json` and `--format`, which every command that prints data has. */
import { CommandLineError } from "./command_line_error.ts";
import type { OptionSpec, ParsedOptions } from "./options.ts";

/** The shapes of printed data: for people, docker's JSON, and exact JSON of our own. */
export type OutputFormat = "text" | "docker-json" | "json";

/** `--format`, for the tables of commands. */
export const FORMAT: OptionSpec = {
  name: "format",
  kind: "string",
  value: "string",
  help: 'Format output: "table", or "json" in docker\'s shape',
};

/** `--json`, for the tables of commands. */
export const JSON_OUTPUT: OptionSpec = { name: "json", kind: "boolean", help: "Print exact values as JSON" };

/**
 * The format that was asked for.
 * @throws {CommandLineError} for a template, which is not supported yet.
 */
export function outputFormatOf(parsed: ParsedOptions): OutputFormat {
  if (parsed.flag("json")) return "json";
  const format = parsed.text("format");
  if (format === undefined || format === "" || format === "table") return "text";
  if (format === "json" || format === "{{json .}}") return "docker-json";
  throw new CommandLineError(`invalid argument "${format}" for --format: templates are not supported yet`, {
    hint: "Write --format json, or --json for exact values",
  });
}
