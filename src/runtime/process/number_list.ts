/** Lists of processors and memory nodes as the kernel writes them (`0-3,7`: cpuset(7), "List format"), as bit masks. */
import { type Field, refuse } from "./refusal.ts";

/** Highest number in a list: the kernel's own bound of processors is 8192 (CONFIG_NR_CPUS). */
const NUMBER_MAX = 8191;

/**
 * The mask of a list in words of 64 bits, little endian; at least one word.
 * @throws {ConfigError} for what is not a list.
 */
export function parseNumberList(list: string, field: Field): Uint8Array {
  const mask = new Uint8Array((NUMBER_MAX + 1) / 8);
  let last = 0;
  for (const range of list.split(",")) {
    const match = /^\s*(\d{1,4})(?:-(\d{1,4}))?\s*$/.exec(range);
    const first = Number(match?.[1] ?? Number.NaN);
    const end = Number(match?.[2] ?? first);
    if (!(first <= end && end <= NUMBER_MAX)) {
      refuse(field, `"${list}" is not a list of numbers up to ${NUMBER_MAX} such as "0-3,7"`);
    }
    for (let number = first; number <= end; number++)
      mask[number >> 3] = (mask[number >> 3] ?? 0) | (1 << (number & 7));
    last = Math.max(last, end);
  }
  return mask.slice(0, ((last >> 6) + 1) * 8);
}
