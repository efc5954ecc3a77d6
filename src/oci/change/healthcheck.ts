/** The instruction HEALTHCHECK of a Dockerfile, as docker keeps it in an image's configuration. */
import type { JsonObject } from "../json.ts";
import { fault, jsonWords } from "./words.ts";

const NANOSECONDS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Shortest time that docker takes. */
const DURATION_MIN_NS = 1e6;

/** Options with a duration, by the field that docker keeps it in. */
const DURATIONS: ReadonlyMap<string, string> = new Map([
  ["interval", "Interval"],
  ["timeout", "Timeout"],
  ["start-period", "StartPeriod"],
  ["start-interval", "StartInterval"],
]);

/**
 * Parses what follows the word HEALTHCHECK.
 * @returns `Test`, durations in nanoseconds, `Retries`
 * @throws {ChangeFault}
 */
export function parseHealthcheck(text: string): JsonObject {
  if (/^none$/i.test(text)) return { Test: ["NONE"] };
  const options: Record<string, number> = {};
  let rest = text;
  for (let match = OPTION.exec(rest); match !== null; match = OPTION.exec(rest)) {
    const [whole, name = "", value = ""] = match;
    const [field, amount] = optionOf(name, value);
    options[field] = amount;
    rest = rest.slice(whole.length);
  }
  const [, command] = /^cmd\s+(.+)$/is.exec(rest) ?? [];
  if (command === undefined) throw fault("after HEALTHCHECK either NONE or CMD is wanted");
  const words = jsonWords(command.trim());
  return { Test: words === undefined ? ["CMD-SHELL", command.trim()] : ["CMD", ...words], ...options };
}

const OPTION = /^--([a-z-]+)=(\S*)\s+/;

function optionOf(name: string, value: string): [field: string, amount: number] {
  const field = DURATIONS.get(name);
  if (field !== undefined) return [field, durationOf(name, value)];
  if (name !== "retries") throw fault(`"--${name}" is no option of HEALTHCHECK`);
  if (!/^\d{1,9}$/.test(value)) throw fault(`"--retries=${value}" is not a number`);
  return ["Retries", Number(value)];
}

/** `1h30m`, `500ms`, as Go writes durations; "0" is the default. */
function durationOf(name: string, value: string): number {
  if (value === "0") return 0;
  const parts = [...value.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)];
  const total = parts.reduce(
    (sum, [, number, unit = ""]) => sum + Number(number) * (NANOSECONDS[unit] ?? 0),
    0,
  );
  if (parts.map(([part]) => part).join("") !== value || value === "" || !Number.isSafeInteger(total)) {
    throw fault(`"--${name}=${value}" is not a duration, e.g. 30s`);
  }
  if (total < DURATION_MIN_NS) throw fault(`"--${name}=${value}" is less than 1ms`);
  return total;
}
