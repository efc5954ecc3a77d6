/**
 * Names of files as ls(1) shows them on a terminal, style "shell-escape": whatever the name holds, the line shows it
 * unambiguously, a shell reads it back, and the terminal obeys none of it.
 */

/** Characters that a shell takes as they are, and letters of any language. */
const PLAIN = /^[\p{L}\p{N}\p{So}%+,\-./:@_^][\p{L}\p{M}\p{N}\p{So}%+,\-./:@_^#~\]}]*$/u;

/** Characters that may stand between single quotes. */
const QUOTABLE = /^[^\p{C}\p{Zl}\p{Zp}']$/u;

/** What a shell takes as it is between double quotes. */
const BETWEEN_DOUBLE = /^[^\p{C}\p{Zl}\p{Zp}"$`\\!]*$/u;

const NAMED: Readonly<Record<string, string>> = {
  "\u0007": "\\a",
  "\b": "\\b",
  "\t": "\\t",
  "\n": "\\n",
  "\v": "\\v",
  "\f": "\\f",
  "\r": "\\r",
};

/** @param bytes latin1 text, a byte each character */
export function shellQuote(bytes: string): string {
  const units = unitsOf(Buffer.from(bytes, "latin1"));
  const text = units.join("");
  const isText = units.every((unit) => typeof unit === "string");
  if (isText && PLAIN.test(text)) return text;
  if (isText && text.includes("'") && BETWEEN_DOUBLE.test(text)) return `"${text}"`;
  // Between single quotes from the start on, and out of them for what cannot stand there.
  let [quoted, isEscaping] = ["'", false];
  for (const unit of units) {
    const isPlain = typeof unit === "string" && QUOTABLE.test(unit);
    const isEscape = !isPlain && unit !== "'";
    if (isEscape !== isEscaping) quoted += isEscape ? "'$'" : "''";
    isEscaping = isEscape;
    quoted += isPlain ? unit : isEscape ? escapeOf(unit) : "'\\''";
  }
  return `${quoted}'`;
}

const escapeOf = (unit: string | number): string =>
  typeof unit === "string" ? (NAMED[unit] ?? [...Buffer.from(unit)].map(octal).join("")) : octal(unit);

const octal = (byte: number): string => `\\${byte.toString(8).padStart(3, "0")}`;

/** Characters, and bytes that belong to none. */
function unitsOf(bytes: Buffer): Array<string | number> {
  const units: Array<string | number> = [];
  for (let at = 0; at < bytes.length; ) {
    const length = lengthOf(bytes[at] ?? 0);
    const text = bytes.subarray(at, at + length).toString("utf8");
    const isWhole = length > 0 && Buffer.byteLength(text) === length && !text.includes("\ufffd");
    units.push(isWhole ? text : (bytes[at] ?? 0));
    at += isWhole ? length : 1;
  }
  return units;
}

/** Bytes of the character that begins with `first`; 0 for none. */
function lengthOf(first: number): number {
  if (first < 0x80) return 1;
  if (first < 0xc2) return 0;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
}
