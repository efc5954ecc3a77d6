/** The texts of help in docker's layout, wrapped to the terminal. */
import type { CommandSpec } from "./command_spec.ts";
import { GLOBAL_OPTIONS } from "./global_options.ts";
import type { OptionSpec } from "./options.ts";
import { writeOut } from "./output.ts";

/** Columns when stdout does not tell its width, and the least that text is wrapped to. */
const COLUMNS_DEFAULT = 100;
const COLUMNS_MIN = 60;

/** Prints the help of one command of `program`. @returns the exit code. */
export function printHelp(spec: CommandSpec, program = "bunker"): number {
  writeOut(renderHelp(spec, stdoutColumns(), program));
  return 0;
}

/** A program with commands, as its overview shows it. */
export interface Overview {
  readonly program: string;
  /** One sentence without a period. */
  readonly description: string;
  readonly commands: readonly CommandSpec[];
  readonly options: readonly OptionSpec[];
}

/** bunker itself. */
export function overviewOf(commands: readonly CommandSpec[]): Overview {
  return {
    program: "bunker",
    description: "A container engine in one executable",
    commands,
    options: GLOBAL_OPTIONS,
  };
}

/** The overview as text, wrapped to `columns`. */
export function renderOverview(overview: Overview, columns: number): string {
  const { program, description, options } = overview;
  const commands = renderColumns(
    overview.commands.map((spec) => [spec.name, spec.description] as const),
    columns,
  );
  return [
    `Usage:  ${program} [OPTIONS] COMMAND\n`,
    `${description}\n`,
    `Commands:\n${commands}`,
    `Global Options:\n${renderOptions(options, columns)}`,
    `Run '${program} COMMAND --help' for more information on a command.\n`,
  ].join("\n");
}

/** The help of one command of `program` as text, wrapped to `columns`. */
export function renderHelp(spec: CommandSpec, columns: number, program = "bunker"): string {
  const examples = renderColumns(
    spec.examples.map(({ line, does }) => [line, does] as const),
    columns,
  );
  return [
    `Usage:  ${program} ${spec.name} ${spec.usage}\n`,
    `${spec.description}\n`,
    `Options:\n${renderOptions(spec.options, columns)}`,
    `Examples:\n${examples}`,
  ].join("\n");
}

function renderOptions(options: readonly OptionSpec[], columns: number): string {
  const shown = options.filter(({ hidden }) => hidden !== true);
  return renderColumns(
    shown.map((option) => [describeOption(option), option.help] as const),
    columns,
  );
}

/** `-e, --env list`, the letter's place left empty when there is none. */
function describeOption({ name, alias, value }: OptionSpec): string {
  const letter = alias === undefined ? "    " : `-${alias}, `;
  return `${letter}--${name}${value === undefined ? "" : ` ${value}`}`;
}

/** Two columns; the right one is wrapped, and goes below the left one where that leaves too little room. */
function renderColumns(rows: readonly (readonly [string, string])[], columns: number): string {
  const left = Math.max(...rows.map(([text]) => text.length)) + 5;
  const stacked = columns - left < COLUMNS_MIN / 2;
  const indent = stacked ? 8 : left;
  return rows
    .map(([text, help]) => {
      const lines = wrap(help, columns - indent);
      const below = lines.map((line) => `${" ".repeat(indent)}${line}\n`).join("");
      return stacked ? `  ${text}\n${below}` : `  ${text}`.padEnd(left) + below.trimStart();
    })
    .join("");
}

function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

/** The width to wrap help to. */
export function stdoutColumns(): number {
  return Math.max(COLUMNS_MIN, process.stdout.columns || COLUMNS_DEFAULT);
}
