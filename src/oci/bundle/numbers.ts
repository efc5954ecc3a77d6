/** Ranges of the specification's number types and rules for texts that hold numbers. */

import type { Judge, Whole } from "./schema.ts";
import { whole } from "./schema.ts";

const U16_MAX = 65_535;
const U32_MAX = 4_294_967_295;
const I64_MIN = -9_223_372_036_854_775_808n;
const I64_MAX = 9_223_372_036_854_775_807n;
/** Largest uint64; as a limit of the kernel, "unlimited". */
export const U64_MAX = 18_446_744_073_709_551_615n;

/** The specification's uint16. */
export const uint16: Whole = whole(0, U16_MAX);
/** The specification's uint32. */
export const uint32: Whole = whole(0, U32_MAX);
/** The specification's uint64. */
export const uint64: Whole = whole(0, U64_MAX);
/** The specification's int64. */
export const int64: Whole = whole(I64_MIN, I64_MAX);
/** A limit of which -1 means none. */
export const limit: Whole = whole(-1, I64_MAX);
/** User and group numbers. The greatest uint32 is -1 to the kernel: "leave as it is" (setresuid(2)). */
export const idNumber: Whole = whole(0, U32_MAX - 1);

/** Last processor that a kernel can be built for (NR_CPUS); of memory nodes there are fewer (MAX_NUMNODES). */
const LIST_NUMBER_MAX = 8191;

/** A list of processors or memory nodes as the kernel reads it (cpuset(7), list format): `0-3,7`. */
export const numberList: Judge = (text) => {
  for (const part of text.trim().split(",")) {
    const [, first, last] = /^\s*(\d{1,5})(?:-(\d{1,5}))?\s*$/.exec(part) ?? [];
    if (first === undefined) return `expected a list such as "0-3,7"`;
    if (Number(last ?? first) < Number(first)) return `the range "${part.trim()}" ends before it begins`;
    if (Number(last ?? first) > LIST_NUMBER_MAX) return `at most ${LIST_NUMBER_MAX} is possible`;
  }
  return undefined;
};
