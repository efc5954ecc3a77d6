/** Parses `--memory`. */
import { parseBytes } from "./bytes.ts";

/** Least limit in bytes: with less, not even a small program is loaded before the kernel ends it. */
export const MEMORY_BYTES_MIN = 512 * 1024;

/**
 * A memory limit in bytes; undefined for 0, which is docker's "no limit".
 * @throws {SyntaxError | RangeError} for what is no size, or less than 512 KiB.
 */
export function parseMemory(text: string): number | undefined {
  const bytes = parseBytes(text);
  if (bytes === 0) return undefined;
  if (bytes < MEMORY_BYTES_MIN) {
    throw new RangeError(`Cannot limit memory to "${text}": the least is 512k`);
  }
  return bytes;
}
