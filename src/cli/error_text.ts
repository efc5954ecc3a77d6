/** The parts of an error that are shown: its message, its causes, its hint. */
import { UsageError } from "../errors.ts";
import { harmless } from "./output.ts";

/** Causes that are printed at most; a longer chain is a circle. */
const CAUSES_MAX = 16;

/** All causes, depth first: those of an AggregateError one after another. */
export function causesOf(error: unknown): unknown[] {
  const found: unknown[] = [];
  const visit = (one: unknown): void => {
    if (!(one instanceof Error)) return;
    const direct = one instanceof AggregateError ? one.errors : [];
    for (const cause of one.cause === undefined ? direct : [one.cause, ...direct]) {
      if (found.length >= CAUSES_MAX) return;
      found.push(cause);
      visit(cause);
    }
  };
  visit(error);
  return found;
}

/** The message, harmless for a terminal, with the name of the class where it explains something. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return harmless(String(error));
  const text = harmless(error.message);
  const isOurs = error instanceof UsageError || "code" in error || "hint" in error;
  // Built-in errors of a mistake in bunker itself ("undefined is not a function") need their name to be understood.
  return isOurs || error.name === "Error" || isParserError(error) ? text : `${error.name}: ${text}`;
}

/** Parsers throw the built-in classes, with messages meant for people. */
function isParserError(error: Error): boolean {
  return error instanceof SyntaxError || error instanceof RangeError;
}

/** What to do about the error; undefined when it does not say. */
export function hintOf(error: unknown): string | undefined {
  const hint: unknown = error instanceof Error && "hint" in error ? error.hint : undefined;
  return typeof hint === "string" ? hint : undefined;
}
