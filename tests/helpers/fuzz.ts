/**
 * What fuzz tests share. A seed that is the same each time, so that a run tells of the change that it runs for:
 * FUZZ_SEED=random looks further, FUZZ_ROUNDS=100 a hundred times as long. The seed stands in the titles.
 */
import { expect } from "bun:test";
import { describeError } from "../../src/cli/report.ts";
import { BunkerError } from "../../src/errors.ts";

/** For `seededRandom()`. */
export const FUZZ_SEED = seedOf(process.env["FUZZ_SEED"] ?? "20261126");
const ROUNDS = Number(process.env["FUZZ_ROUNDS"] ?? "1");
export const FUZZ_MS_MAX = ROUNDS > 1 ? 3_600_000 : 60_000;
/** Longest message that a person should get to read, with what it quotes. */
const MESSAGE_LENGTH_MAX = 6000;

/** How many inputs to try. */
export const roundsOf = (count: number): number => Math.ceil(count * ROUNDS);

/**
 * Runs `parse`, which gives a value or one of our own errors: whatever JavaScript itself throws fails the test.
 * @param shown the input, for the message
 * @returns the value, or undefined when it was refused
 */
export function answerOf<Value>(parse: () => Value, shown: () => unknown): { value: Value } | undefined {
  try {
    return { value: parse() };
  } catch (error) {
    expectOurs(error, shown);
    return undefined;
  }
}

/** The same for what takes its time. */
export async function laterAnswerOf<Value>(
  parse: () => Promise<Value>,
  shown: () => unknown,
): Promise<{ value: Value } | undefined> {
  try {
    return { value: await parse() };
  } catch (error) {
    expectOurs(error, shown);
    return undefined;
  }
}

/** Fails unless `error` is one that bunker means to throw: readable, in one line. */
function expectOurs(error: unknown, shown: () => unknown): void {
  const isOurs =
    error instanceof BunkerError || (error instanceof Error && error.message.startsWith("Cannot "));
  if (!isOurs) throw new Error(`for ${Bun.inspect(shown())}`, { cause: error });
  const text = describeError(error);
  const isShown =
    text.length <= MESSAGE_LENGTH_MAX && text.split("\n").every((line) => !/\p{Cc}/u.test(line));
  if (!isShown) expect({ text, input: shown() }).toEqual({ text: "lines for a terminal", input: "" });
}

function seedOf(text: string): number {
  return text === "random" ? Date.now() % 2 ** 31 : Number(text);
}
