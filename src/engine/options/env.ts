/** Checks one `--env`. */

/**
 * `KEY=value`, or `KEY` alone. What follows the first `=` is the value, as it is.
 * @throws {SyntaxError} without a key, or with a NUL. The message never has the value, which may be a secret.
 */
export function parseEnv(text: string): string {
  if (text.startsWith("=") || text === "")
    throw new SyntaxError("Cannot set an environment variable: it has no name");
  if (text.includes("\0")) throw new SyntaxError("Cannot set an environment variable: it holds a NUL");
  return text;
}
