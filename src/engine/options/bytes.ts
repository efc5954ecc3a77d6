/** Parses a number of bytes as docker's options write it: `512k`, `1.5g`, `64MiB`, `1048576`. */

/** Binary multiples, as `docker run --memory` has them: `k`, `kb` and `kib` are all 1024. */
const MULTIPLES: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
  p: 2 ** 50,
};

const PATTERN = /^(\d{1,16}(?:\.\d{1,9})?) ?([kmgtp]?)(?:(?<=[kmgtp])i?b|b)?$/i;

/**
 * Bytes from a decimal number and a unit; a fraction of a byte is dropped.
 * @throws {SyntaxError} when `text` is not of that form.
 * @throws {RangeError} above 2^53 - 1.
 */
export function parseBytes(text: string): number {
  const match = PATTERN.exec(text);
  if (match === null) {
    throw new SyntaxError(`Cannot parse size "${text}": expected a number and one of b, k, m, g, t, p`);
  }
  const bytes = Math.floor(Number(match[1]) * (MULTIPLES[(match[2] ?? "").toLowerCase()] ?? 1));
  if (bytes > Number.MAX_SAFE_INTEGER) {
    throw new RangeError(`Cannot use size "${text}": it is above ${Number.MAX_SAFE_INTEGER} bytes`);
  }
  return bytes;
}
