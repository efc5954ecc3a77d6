/**
 * Writes to stdout and stderr at once and completely. process.stdout is not used: making it costs more than what is
 * written, and what it still holds is lost when the program leaves by process.exit.
 */
import { writeSync } from "node:fs";
import { outputError, STANDARD_OUTPUT } from "./output_error.ts";

const STDOUT = 1;
const STDERR = 2;

/** Milliseconds between two tries while a pipe that does not block is full. */
const RETRY_MS = 5;

/**
 * Writes text to stdout; a reader that has gone away is not an error.
 * @throws {UsageError} when it cannot be written, e.g. since the disk is full
 */
export function writeOut(text: string): void {
  try {
    writeAll(STDOUT, text);
  } catch (error) {
    throw outputError(error, STANDARD_OUTPUT);
  }
}

/** Writes text to stderr. What cannot be written is left out: there is nowhere to say so. */
export function writeError(text: string): void {
  try {
    writeAll(STDERR, text);
  } catch {
    // The work itself goes on, and its exit code is told.
  }
}

function writeAll(descriptor: number, text: string): void {
  const bytes = Buffer.from(text);
  let written = 0;
  while (written < bytes.length) {
    try {
      written += writeSync(descriptor, bytes, written);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === "EPIPE") return;
      // The caller's end may be set to non-blocking, by a shell or by another program that shares it.
      if (code !== "EAGAIN") throw error;
      Bun.sleepSync(RETRY_MS);
    }
  }
}

/**
 * Text of unknown origin (image names, messages of servers) made harmless for a terminal: control characters, which
 * could move the cursor or change its title, and format characters, which could reverse the reading direction, are
 * written as `\u{1b}`. Line feeds stay.
 */
export function harmless(text: string): string {
  return text.replace(/(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
  });
}

/** The same for JSON text, where such a character has a spelling of its own: what a program reads stays equal. */
export function harmlessJson(text: string): string {
  return text.replace(/(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    // Above U+FFFF it is two units.
    const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at));
    return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
  });
}

/** Prints a value as JSON: in lines for people, or in one for `indent` 0. Nothing in it does anything to a terminal. */
export function writeJson(value: unknown, indent = 2): void {
  writeOut(`${harmlessJson(JSON.stringify(value, undefined, indent))}\n`);
}

/** One line of JSON for each value, as docker prints lists. */
export function writeJsonLines(values: readonly unknown[]): void {
  writeOut(values.map((value) => `${harmlessJson(JSON.stringify(value))}\n`).join(""));
}
