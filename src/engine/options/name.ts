/** Checks a container's name. */

const PATTERN = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;

/**
 * A name that is safe as a file name and as a word of a command line.
 * @throws {SyntaxError} unless it begins with a letter or digit, goes on with those, `_`, `.` and `-`, and has at
 * most 128 characters.
 */
export function parseName(text: string): string {
  if (PATTERN.test(text)) return text;
  throw new SyntaxError(
    `Cannot use "${text}" as a container's name: expected 1 to 128 of [a-zA-Z0-9_.-], first a letter or digit`,
  );
}
