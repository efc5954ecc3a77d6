/**
 * How an error leaves the runtime: as one line of the log, on stderr too when the log is a file, and as an exit code.
 * Callers know errors by their words: podman by regular expressions, containerd by parts of the text.
 */
import { writeText } from "../../engine/bundle/stream.ts";
import { CommandLineError } from "../command_line_error.ts";
import { causesOf, hintOf, messageOf } from "../error_text.ts";
import { UnknownOptionError } from "../options.ts";
import { exitCodeOf } from "../report.ts";
import type { Log } from "./log.ts";
import { EXIT_UNKNOWN_COMMAND } from "./unknown_command.ts";

const STDERR = 2;

/** Exit codes of runc: any error, and an error of exec, whose process has the codes below to itself. */
const EXIT_ERROR = 1;
const EXIT_EXEC = 255;

/** What the engine gives a command that was not found. */
const EXIT_NOT_FOUND = 127;

/** Longest message; what is longer holds somebody else's text. */
const MESSAGE_LENGTH_MAX = 8192;

/** Writes the error where callers look for it. @returns the exit code. */
export function reportFailure(
  error: unknown,
  { log, command }: { readonly log: Log; readonly command: string | undefined },
): number {
  const message = describeForCaller(error);
  log.write("error", message);
  if (log.isFile) writeText(STDERR, `${message}\n`);
  if (log.debug && error instanceof Error) log.write("debug", error.stack ?? "");
  return exitCodeFor(error, command);
}

/** 3 for an unknown command, 255 for an error of exec, 1 for any other. */
export function exitCodeFor(error: unknown, command: string | undefined): number {
  if (error instanceof CommandLineError) {
    return error.exitCode === EXIT_UNKNOWN_COMMAND ? EXIT_UNKNOWN_COMMAND : EXIT_ERROR;
  }
  return command === "exec" ? EXIT_EXEC : EXIT_ERROR;
}

/**
 * The error on one line: message, causes, and the hint in parentheses. A command that was not found is called so in
 * the words that podman looks for; causes name error numbers (`ENOENT`), which it takes for nothing else.
 */
export function describeForCaller(error: unknown): string {
  const causes = causesOf(error);
  const hints = new Set([error, ...causes].map(hintOf).filter((hint) => hint !== undefined));
  const texts = [withNotFound(error), ...causes.map(messageOf)];
  const line = `${texts.join(": ")}${[...hints].map((hint) => ` (hint: ${hint})`).join("")}`;
  return line.replace(/\s*\n\s*/g, " ").slice(0, MESSAGE_LENGTH_MAX);
}

/** What podman takes for a command that does not exist (exit code 127). */
const NOT_FOUND = /executable file not found in|no such file or directory|open executable/i;

function withNotFound(error: unknown): string {
  if (error instanceof UnknownOptionError) return `flag provided but not defined: -${error.option}`;
  const message = messageOf(error);
  if (exitCodeOf(error) !== EXIT_NOT_FOUND || NOT_FOUND.test(message)) return message;
  return `${message}: ${/\$PATH/.test(message) ? "executable file not found in $PATH" : "no such file or directory"}`;
}
