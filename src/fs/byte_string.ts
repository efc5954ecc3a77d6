/**
 * Names of files are bytes, not text: they are kept as strings in which each character is one byte (U+0000 to
 * U+00FF, "latin1"), so that they can be split, compared and used as keys without losing any.
 */

/** A string of bytes; shown to a person only by {@link quoteBytes}. */
export type ByteString = string;

/** Bytes for the kernel, ended by a NUL. @throws {TypeError} when the name holds a NUL itself */
export function cBytes(name: ByteString): Buffer {
  if (name.includes("\0"))
    throw new TypeError(`Cannot pass ${quoteBytes(name)} to the kernel: it holds a NUL`);
  const bytes = Buffer.allocUnsafe(name.length + 1);
  bytes.write(name, "latin1");
  bytes[name.length] = 0;
  return bytes;
}

/** The bytes that a text has in UTF-8. */
export const byteString = (text: string): ByteString => Buffer.from(text).toString("latin1");

/** Longest part of a name that a message shows. */
const SHOWN_MAX = 200;

/** Control and direction characters beyond those that JSON escapes: they could forge a line on a terminal. */
const UNPRINTABLE = /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** The name as text for messages: UTF-8 where it is, quoted, control characters escaped, cut when long. */
export function quoteBytes(name: ByteString): string {
  const text = Buffer.from(name.slice(0, SHOWN_MAX), "latin1").toString("utf8");
  const escaped = JSON.stringify(text).replace(UNPRINTABLE, escapeUnit);
  return name.length > SHOWN_MAX ? `${escaped}…` : escaped;
}

function escapeUnit(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
