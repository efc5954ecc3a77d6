/**
 * The log of the runtime, as callers of runc parse it: a line for each message, in JSON
 *
 *     {"level":"error","msg":"container does not exist","time":"2026-11-23T15:06:11Z"}
 *
 * or as `time="…" level=error msg="…"`. An error goes to stderr as well, bare, when the log is somewhere else.
 */
import type { LogLevel } from "../../engine/bundle/context.ts";
import { openLogFile, writeText } from "../../engine/bundle/stream.ts";
import { CommandLineError } from "../command_line_error.ts";
import type { ParsedOptions } from "../options.ts";

const STDERR = 2;

/** From the most to the least talkative. */
const LEVELS: readonly LogLevel[] = ["debug", "info", "warning", "error"];

/** Where messages go. */
export interface Log {
  /** Writes one line, if the level is high enough. */
  readonly write: (level: LogLevel, message: string) => void;
  /** Whether the log is a file of its own, so that stderr has nothing of it. */
  readonly isFile: boolean;
  readonly debug: boolean;
}

/** The log until the options are known. */
export const STDERR_LOG: Log = { write: writerOf(STDERR, "text", "warning"), isFile: false, debug: false };

/**
 * Opens the log that the options before the command ask for.
 * @throws {CommandLineError} for a format, level or kind of log that does not exist here.
 * @throws {RuntimeError} when the file cannot be opened.
 */
export function openLog(globals: ParsedOptions): Log {
  const format = formatOf(globals);
  const debug = globals.flag("debug");
  const level = levelOf(globals, format);
  const path = pathOf(globals.text("log") ?? "");
  const isFile = path !== "" && path !== "/dev/stderr";
  return { write: writerOf(isFile ? openLogFile(path) : STDERR, format, level), isFile, debug };
}

function writerOf(fd: number, format: "text" | "json", least: LogLevel): Log["write"] {
  const render = format === "json" ? renderJson : renderText;
  return (level, message) => {
    if (LEVELS.indexOf(level) >= LEVELS.indexOf(least)) writeText(fd, render(level, message));
  };
}

function formatOf(globals: ParsedOptions): "text" | "json" {
  const format = globals.text("log-format") ?? "text";
  if (format === "text" || format === "json") return format;
  throw new CommandLineError(`invalid log-format: "${format}": expected text or json`);
}

/**
 * Without an option a JSON log has errors only: podman reads the whole file as one JSON value, and would not find the
 * error beside a warning.
 */
function levelOf(globals: ParsedOptions, format: "text" | "json"): LogLevel {
  if (globals.flag("debug")) return "debug";
  const named = globals.text("log-level") ?? (format === "json" ? "error" : "warning");
  const level = LEVELS.find((one) => one === named);
  if (level !== undefined) return level;
  throw new CommandLineError(`unknown log level "${named}": expected debug, info, warning or error`);
}

/** crun's forms: `file:PATH`, `journald:NAME`, `syslog:NAME`, or a path alone. */
function pathOf(text: string): string {
  const [, kind, path] = /^(file|journald|syslog):(.*)$/s.exec(text) ?? [];
  if (kind === undefined) return text;
  if (kind === "file") return path ?? "";
  throw new CommandLineError(`invalid value "${text}" for --log: ${kind} is not supported`, {
    hint: "Name a file: --log FILE",
  });
}

function renderJson(level: LogLevel, msg: string): string {
  return `${JSON.stringify({ level, msg, time: timestamp() })}\n`;
}

/** As logrus has it: quotes only around what needs them. */
function renderText(level: LogLevel, message: string): string {
  const shown = /^[\w\-./@^+]+$/.test(message) ? message : JSON.stringify(message);
  return `time="${timestamp()}" level=${level} msg=${shown}\n`;
}

/** RFC 3339, whole seconds. */
const timestamp = (): string => `${new Date().toISOString().slice(0, 19)}Z`;
