/** Asks before something is removed that cannot be had back. */
import { readSync } from "node:fs";
import { writeOut } from "./output.ts";

/** Bytes of an answer that are read. */
const ANSWER_BYTES_MAX = 64;

/** Prints a warning and asks, as docker does. @returns true for y or Y; false for anything else, and at the end of input */
export async function confirm(warning: string): Promise<boolean> {
  writeOut(`${warning}\nAre you sure you want to continue? [y/N] `);
  const answer = Buffer.alloc(ANSWER_BYTES_MAX);
  try {
    const count = readSync(0, answer, 0, ANSWER_BYTES_MAX, null);
    return /^y\s*$/i.test(answer.toString("utf8", 0, count).split("\n", 1)[0] ?? "");
  } catch (error) {
    // No standard input at all is no consent.
    if (["EOF", "EBADF", "EAGAIN"].includes((error as NodeJS.ErrnoException).code ?? "")) return false;
    throw error;
  }
}
