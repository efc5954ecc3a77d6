/** What tables show of layers. */

/** Hexadecimal digits of a short digest, and characters of a command in a table. */
const SHORT_DIGEST_LENGTH = 12;
const COMMAND_LENGTH_MAX = 45;

/** The first digits of a digest, or all of it. */
export const shortDigest = (digest: string, whole: boolean): string =>
  whole ? digest : digest.slice(digest.indexOf(":") + 1).slice(0, SHORT_DIGEST_LENGTH);

/** A step's command as one line: one of several would break the table. */
export function commandLine(createdBy: string, whole: boolean): string {
  const command = createdBy.replaceAll(/\s+/g, " ").trim();
  const characters = [...command];
  return whole || characters.length <= COMMAND_LENGTH_MAX
    ? command
    : `${characters.slice(0, COMMAND_LENGTH_MAX - 1).join("")}…`;
}
