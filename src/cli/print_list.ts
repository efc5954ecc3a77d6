/** Prints a list in the shape that was asked for: as every command does that has `--format` and `--json`. */
import { writeJson, writeJsonLines, writeOut } from "./output.ts";
import type { OutputFormat } from "./output_format.ts";
import type { Row } from "./template_output.ts";

/** A list in all its shapes. */
export interface ListOutput {
  /** For `--json`: values as they are. */
  readonly exact: unknown;
  /** For `--format`: docker's names and texts. */
  readonly rows: readonly Row[];
  /** Heads of columns by field; a field without one is its own in capitals. */
  readonly heads: Readonly<Record<string, string>>;
  /** For people. */
  readonly text: () => string;
}

/** Prints it. @throws {TemplateError} */
export async function printList(
  format: OutputFormat,
  { exact, rows, heads, text }: ListOutput,
): Promise<void> {
  if (format === "json") writeJson(exact);
  else if (format === "docker-json") writeJsonLines(rows);
  else if (format === "text") writeOut(text());
  else {
    const { renderRows } = await import("./template_output.ts");
    writeOut(renderRows(format.template, rows, heads));
  }
}
