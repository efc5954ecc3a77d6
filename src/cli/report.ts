/**
 * Prints an error and chooses the exit code:
 *
 *     bunker: Cannot start container "web"
 *       because: mount("/srv", "/run/bunker/web/srv", null, 0x1000, null): ENOENT
 *     hint: Read its log: bunker logs web
 *
 * No stack without `-D`. Mistakes in the command line come with the usage line of their command, as docker's do.
 */
import { CommandLineError } from "./command_line_error.ts";
import type { CommandSpec } from "./command_spec.ts";
import { causesOf, hintOf, messageOf } from "./error_text.ts";
import { GLOBAL_OPTIONS } from "./global_options.ts";
import { UnknownOptionError } from "./options.ts";
import { harmless, writeError } from "./output.ts";

/** Characters of a message that are printed at most: some thirty lines of a terminal. */
const MESSAGE_LENGTH_MAX = 2500;

/** Exit code for whatever fails on our side of the container, as with docker. */
export const EXIT_ENGINE = 125;

/**
 * Prints `error` on stderr.
 * @returns the exit code: the error's own `exitCode`, or 125.
 */
export async function report(
  error: unknown,
  context: { readonly command: string | undefined; readonly debug: boolean },
): Promise<number> {
  if (needsNoReport(error)) return exitCodeOf(error);
  writeError(describeError(error));
  if (error instanceof CommandLineError) writeError(await describeUsage(error, context.command));
  if (context.debug && error instanceof Error) writeError(`${harmless(error.stack ?? "")}\n`);
  return exitCodeOf(error);
}

/** The error with its causes and hints as lines of text. */
export function describeError(error: unknown): string {
  const causes = causesOf(error);
  const lines = [`bunker: ${indented(error)}`, ...causes.map((cause) => `  because: ${indented(cause)}`)];
  const hints = [error, ...causes].map(hintOf).filter((hint) => hint !== undefined);
  return `${[...lines, ...new Set(hints.map((hint) => `hint: ${harmless(hint)}`))].join("\n")}\n`;
}

const indented = (error: unknown): string => cut(messageOf(error)).replaceAll("\n", "\n    ");

/** Words of the user's own, and answers of servers, may be of any length. */
const cut = (text: string): string =>
  text.length <= MESSAGE_LENGTH_MAX ? text : `${text.slice(0, MESSAGE_LENGTH_MAX)}…`;

/** The exit code that an error asks for, or 125. */
export function exitCodeOf(error: unknown): number {
  const code: unknown = error instanceof Error && "exitCode" in error ? error.exitCode : undefined;
  return typeof code === "number" && Number.isInteger(code) && code >= 0 && code <= 255 ? code : EXIT_ENGINE;
}

/** The user has ended the program (InterruptedError). */
function needsNoReport(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "INTERRUPTED";
}

async function describeUsage(error: CommandLineError, command: string | undefined): Promise<string> {
  const { findSpec } = await import("./specs.ts");
  const spec = error.command ?? (command === undefined ? undefined : findSpec(command));
  const suggestion = error instanceof UnknownOptionError ? await suggestionFor(error, spec) : "";
  const usage = spec === undefined ? "[OPTIONS] COMMAND" : `${spec.name} ${spec.usage}`;
  const subject = spec === undefined ? "bunker" : `bunker ${spec.name}`;
  return `${suggestion}\nUsage:  bunker ${usage}\n\nRun '${subject} --help' for more information\n`;
}

async function suggestionFor(error: UnknownOptionError, spec: CommandSpec | undefined): Promise<string> {
  const { option, isKnown } = error;
  if (option.length === 1 || isKnown) return "";
  const { nearest } = await import("./suggest.ts");
  const options = spec?.options ?? GLOBAL_OPTIONS;
  const near = nearest(
    option,
    options.map(({ name }) => name),
  );
  return near === undefined ? "" : `hint: Did you mean --${near}?\n`;
}
