/** Values of options that are numbers or lists of a form; anything but the form is refused. */
import { PRESERVED_FDS_MAX } from "../../engine/bundle/preserved_fds.ts";
import { CommandLineError } from "../command_line_error.ts";
import type { ParsedOptions } from "../options.ts";

/** The whole number that the option has; undefined when it was not given. @throws {CommandLineError} out of range. */
export function wholeNumber(
  parsed: ParsedOptions,
  name: string,
  range: { readonly min: number; readonly max: number },
): number | undefined {
  const text = parsed.text(name);
  if (text === undefined) return undefined;
  const value = /^-?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= range.min && value <= range.max) return value;
  throw new CommandLineError(
    `invalid value "${text}" for --${name}: expected a whole number from ${range.min} to ${range.max}`,
  );
}

/** `--preserve-fds` [0]. */
export function preservedFds(parsed: ParsedOptions): number {
  return wholeNumber(parsed, "preserve-fds", { min: 0, max: PRESERVED_FDS_MAX }) ?? 0;
}

/** Milliseconds of Go's units. */
const UNITS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  ns: 1e-6,
};

/** The longest time that is waited between two looks: a day. */
const DURATION_MS_MAX = 86_400_000;

/**
 * A time in Go's form: `5s`, `1m30s`, `1.5h`; undefined when the option was not given.
 * @throws {CommandLineError} for another form, zero, and more than a day.
 */
export function durationMs(parsed: ParsedOptions, name: string): number | undefined {
  const text = parsed.text(name);
  if (text === undefined) return undefined;
  const parts = [...text.matchAll(/(\d{1,12}(?:\.\d{0,9})?)(h|ms|m|s|us|µs|ns)/g)];
  const isWhole = parts.map(([part]) => part).join("") === text;
  const sum = parts.reduce((ms, [, value, unit]) => ms + Number(value) * (UNITS[unit ?? ""] ?? 0), 0);
  if (isWhole && sum > 0 && sum <= DURATION_MS_MAX) return sum;
  throw new CommandLineError(
    `invalid value "${text}" for --${name}: expected a duration up to 24h, such as 5s`,
  );
}
