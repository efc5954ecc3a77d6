/** Values of options that are numbers or lists of a form; anything but the form is refused. */
import { PRESERVED_FDS_MAX } from "../../engine/bundle/preserved_fds.ts";
import { parseCapabilities } from "../../engine/options/capability.ts";
import { parseUser } from "../../engine/options/user.ts";
import { CommandLineError } from "../command_line_error.ts";
import type { ParsedOptions } from "../options.ts";

/** A user of exec; without a group the container's own stays. */
export interface ExecUser {
  readonly uid: number;
  readonly gid?: number;
}

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

/**
 * `UID[:GID]`, numbers only: the runtime reads no file of the image.
 * @throws {CommandLineError} for a name, a sign, white space, and what is no user id (CVE-2026-30892).
 */
export function execUser(text: string): ExecUser {
  const { user, group } = readUser(text);
  if (user.kind === "name" || group?.kind === "name") {
    throw new CommandLineError(`invalid value "${text}" for --user: expected UID or UID:GID in numbers`);
  }
  return { uid: user.id, ...(group === undefined ? {} : { gid: group.id }) };
}

/** `--additional-gids`, each a number, several parted by commas. @throws {CommandLineError} for anything else. */
export function additionalGids(texts: readonly string[]): readonly number[] {
  return texts
    .flatMap((text) => text.split(","))
    .map((text) => {
      const { user, group } = readUser(text);
      if (user.kind === "id" && group === undefined) return user.id;
      throw new CommandLineError(`invalid value "${text}" for --additional-gids: expected a number`);
    });
}

function readUser(text: string): ReturnType<typeof parseUser> {
  try {
    return parseUser(text);
  } catch (error) {
    throw new CommandLineError(`invalid value "${text}" for an id`, { cause: error });
  }
}

/** `KEY=VALUE`. @throws {CommandLineError} without either; the message does not show what may be a secret. */
export function environment(texts: readonly string[]): readonly string[] {
  for (const text of texts) {
    if (!/^[^=\0]+=[^\0]*$/s.test(text)) {
      throw new CommandLineError("invalid value for --env: expected KEY=VALUE");
    }
  }
  return texts;
}

/** `--cap`: `CAP_NET_ADMIN`. @throws {CommandLineError} for what cannot be a capability. */
export function capabilities(texts: readonly string[]): readonly string[] {
  return texts.flatMap((text) => {
    try {
      return parseCapabilities(text);
    } catch (error) {
      throw new CommandLineError(`invalid value "${text}" for --cap`, { cause: error });
    }
  });
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
