/** Checks a container's host name. */

/** Longest host name that the kernel keeps (HOST_NAME_MAX). */
export const HOSTNAME_LENGTH_MAX = 64;

/**
 * A host name: labels of letters, digits and inner hyphens, parted by dots (RFC 1123).
 * @throws {SyntaxError} when it is not, or longer than 64 characters.
 */
export function parseHostname(text: string): string {
  const label = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
  if (text.length > HOSTNAME_LENGTH_MAX || !new RegExp(`^${label}(?:\\.${label})*$`).test(text)) {
    throw new SyntaxError(
      `Cannot use "${text}" as a host name: expected at most ${HOSTNAME_LENGTH_MAX} letters, digits, hyphens and dots`,
    );
  }
  return text;
}
