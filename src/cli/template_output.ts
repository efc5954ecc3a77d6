/** `--format TEMPLATE`, as docker has it: a line for each row, or a table whose heads are known by their fields. */
import { formatTable } from "./format.ts";
import { harmless } from "./output.ts";
import { evaluateTemplate } from "./template/evaluate.ts";
import type { Value } from "./template/node.ts";
import { parseTemplate, type Template } from "./template/parse.ts";

/** What one line shows, under docker's names. */
export type Row = Readonly<Record<string, Value>>;

const TABLE = /^table(?:(?:\s|\\t)+|$)/;

/**
 * The lines of a list.
 * @param heads of columns by field, for templates that begin with `table`; a field without one is its own in capitals
 * @throws {TemplateError}
 */
export function renderRows(
  text: string,
  rows: readonly Row[],
  heads: Readonly<Record<string, string>>,
): string {
  const template = parseTemplate(text.replace(TABLE, ""));
  if (!TABLE.test(text)) return rows.map((row) => `${render(template, row)}\n`).join("");
  const fields = Object.keys(rows[0] ?? heads).map((field) => [field, heads[field] ?? field.toUpperCase()]);
  const lines = [Object.fromEntries(fields) as Row, ...rows].map((row) => render(template, row).split("\t"));
  return formatTable(lines);
}

/** One line for one object. @throws {TemplateError} */
export function renderObject(text: string, value: Value): string {
  return `${render(parseTemplate(text), value)}\n`;
}

/** Text of images may hold anything; tabs are the template's. */
function render(template: Template, value: Value): string {
  return evaluateTemplate(template, value).split("\t").map(harmless).join("\t");
}
