/** Parses `--ulimit name=soft[:hard]`. */
import type { UlimitRequest } from "./run_options.ts";

/** Limits of setrlimit(2), without RLIMIT_ and in lower case. */
const NAMES: ReadonlySet<string> = new Set([
  "as",
  "core",
  "cpu",
  "data",
  "fsize",
  "locks",
  "memlock",
  "msgqueue",
  "nice",
  "nofile",
  "nproc",
  "rss",
  "rtprio",
  "rttime",
  "sigpending",
  "stack",
]);

/**
 * One resource limit; without `hard` both are `soft`. `-1` and `unlimited` mean no limit.
 * @throws {SyntaxError | RangeError} for an unknown name, a value that is no whole number, or soft above hard.
 */
export function parseUlimit(text: string): UlimitRequest {
  const match = /^([a-z]+)=([^:]+)(?::([^:]+))?$/.exec(text);
  const name = match?.[1] ?? "";
  if (match === null) throw new SyntaxError(`Cannot parse ulimit "${text}": expected name=soft[:hard]`);
  if (!NAMES.has(name)) {
    throw new SyntaxError(`Cannot set ulimit "${name}": expected one of ${[...NAMES].join(", ")}`);
  }
  const soft = parseLimit(match[2] ?? "", name);
  const hard = match[3] === undefined ? soft : parseLimit(match[3], name);
  if (hard !== -1 && (soft === -1 || soft > hard)) {
    throw new RangeError(`Cannot set ulimit "${text}": the soft limit is above the hard limit`);
  }
  return { name, soft, hard };
}

function parseLimit(text: string, name: string): number {
  if (text === "-1" || text === "unlimited") return -1;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) {
    throw new SyntaxError(`Cannot parse ${name} limit "${text}": expected a whole number, or -1`);
  }
  return value;
}
