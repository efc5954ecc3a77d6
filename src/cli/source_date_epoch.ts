/** SOURCE_DATE_EPOCH (reproducible-builds.org): the time that new images are of, so that the same input gives the same. */
import { CommandLineError } from "./command_line_error.ts";

/** Last second of the year 9999, the last that RFC 3339 can write. */
const SECONDS_MAX = 253_402_300_799;

/** Seconds since 1970; undefined when the variable is not set. @throws {CommandLineError} when it is no such number */
export function sourceDateEpoch(text = process.env["SOURCE_DATE_EPOCH"]): number | undefined {
  if (text === undefined || text === "") return undefined;
  const seconds = /^[0-9]{1,12}$/.test(text) ? Number(text) : Number.NaN;
  if (seconds <= SECONDS_MAX) return seconds;
  throw new CommandLineError(`SOURCE_DATE_EPOCH has to be seconds since 1970, not ${JSON.stringify(text)}`);
}
