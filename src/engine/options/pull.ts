/** Parses `--pull`. */
import type { RunOptions } from "./run_options.ts";

/**
 * When to ask the registry.
 * @throws {SyntaxError} for any other word.
 */
export function parsePull(text: string): RunOptions["pull"] {
  if (text === "always" || text === "missing" || text === "never") return text;
  throw new SyntaxError(`Cannot use pull policy "${text}": expected always, missing or never`);
}
