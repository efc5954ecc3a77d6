/**
 * Checks one of our own invariants; never used for input.
 * @throws {Error} with `message` when `condition` is false.
 */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`Cannot happen: ${message}. This is a mistake in bunker.`);
}
