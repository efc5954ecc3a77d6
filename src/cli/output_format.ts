/** `--json` and `--format`, which every command that prints data has. */
import type { OptionSpec, ParsedOptions } from "./options.ts";

/** The shapes of printed data: for people, docker's JSON, exact JSON of our own, and what a template says. */
export type OutputFormat = "text" | "docker-json" | "json" | { readonly template: string };

/** `--format`, for the tables of commands. */
export const FORMAT: OptionSpec = {
  name: "format",
  kind: "string",
  value: "string",
  help: 'Format output: "table", "json" in docker\'s shape, or a template, e.g. "{{.ID}}", "table {{.ID}}"',
};

/** `--json`, for the tables of commands. */
export const JSON_OUTPUT: OptionSpec = { name: "json", kind: "boolean", help: "Print exact values as JSON" };

/** The format that was asked for. A template is read later (template_output.ts). */
export function outputFormatOf(parsed: ParsedOptions): OutputFormat {
  if (parsed.flag("json")) return "json";
  const format = parsed.text("format");
  if (format === undefined || format === "" || format === "table") return "text";
  if (format === "json" || format === "{{json .}}") return "docker-json";
  return { template: format };
}
