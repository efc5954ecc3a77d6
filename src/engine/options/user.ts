/**
 * Parses `name|uid[:group|gid]`, strictly. A text of digits is always a number and never looked up in the image:
 * an image could otherwise call its root user "4294967296" (CVE-2024-40635), or have "1" read as 0 (CVE-2026-30892).
 */

/** Greatest user and group number: (uid_t) -1 means "leave as it is" to setuid(2) and chown(2). */
export const ID_MAX = 4_294_967_294;

/** Longest name; useradd(8) takes 32 bytes, other systems' files have longer ones. */
const NAME_LENGTH_MAX = 256;

/** A user or group as asked for: a number, or a name to be looked up in the image. */
export type Identity =
  | { readonly kind: "id"; readonly id: number }
  | { readonly kind: "name"; readonly name: string };

/** Whom the container's command runs as. */
export interface UserRequest {
  readonly user: Identity;
  /** Undefined: the user's own group, and its supplementary groups. */
  readonly group: Identity | undefined;
}

/**
 * Reads a user and a group.
 * @throws {RangeError} for a number above 4294967294.
 * @throws {SyntaxError} for an empty part, a second colon, a sign, white space or a control character.
 */
export function parseUser(text: string): UserRequest {
  const [user = "", group, ...rest] = text.split(":");
  if (rest.length > 0) throw new SyntaxError(`Cannot use "${text}" as a user: expected name|uid[:group|gid]`);
  return {
    user: parseIdentity(user, "user"),
    group: group === undefined ? undefined : parseIdentity(group, "group"),
  };
}

/**
 * The value of `--user`, checked by {@link parseUser} and kept as text, since names are resolved in the image.
 * @throws {SyntaxError | RangeError} as {@link parseUser}.
 */
export function parseUserOption(text: string): string {
  parseUser(text);
  return text;
}

function parseIdentity(text: string, what: "user" | "group"): Identity {
  if (/^\d+$/.test(text)) {
    const id = Number(text);
    if (id > ID_MAX) throw new RangeError(`Cannot use ${what} number ${text}: the range is 0 to ${ID_MAX}`);
    return { kind: "id", id };
  }
  // A sign is refused, though Linux allows it in names: "-1" and "+1" are meant as numbers.
  if (text === "" || text.length > NAME_LENGTH_MAX || /^[+-]|[\s\p{Cc}/,]/u.test(text)) {
    throw new SyntaxError(`Cannot use "${text}" as a ${what}: expected a name or a number`);
  }
  return { kind: "name", name: text };
}
