/**
 * Patterns as docker takes them for names of images: those of Go's path.Match. "*" is any text without "/", "?" one
 * character but "/", "[a-z]" and "[^a-z]" are classes, "\" makes the next character a plain one.
 */
import { UsageError } from "../errors.ts";

/** Makes a test of whole names. @throws {UsageError} for a pattern that ends within a class or after a "\" */
export function goPattern(pattern: string): (name: string) => boolean {
  const characters = [...pattern];
  let source = "";
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at] ?? "";
    if (character === "*") source += "[^/]*";
    else if (character === "?") source += "[^/]";
    else if (character === "[") {
      const { text, end } = readClass(characters, { pattern, start: at + 1 });
      source += text;
      at = end;
    } else if (character === "\\") {
      at += 1;
      source += RegExp.escape(get(characters, { pattern, at }));
    } else source += RegExp.escape(character);
  }
  const expression = new RegExp(`^${source}$`, "u");
  return (name) => expression.test(name);
}

/** A class from behind its "[" to its "]". */
function readClass(
  characters: readonly string[],
  { pattern, start }: { readonly pattern: string; readonly start: number },
): { readonly text: string; readonly end: number } {
  let at = start;
  const isNegated = characters[at] === "^";
  if (isNegated) at += 1;
  const one = (): string => {
    if (characters[at] === "\\") at += 1;
    const character = get(characters, { pattern, at });
    at += 1;
    return character;
  };
  const ranges: string[] = [];
  // A "]" that comes first ends nothing: Go calls such a pattern malformed, as it does an empty class.
  while (characters[at] !== "]" || ranges.length === 0) {
    if (characters[at] === "]" || characters[at] === "-") throw malformed(pattern);
    const low = one();
    if (characters[at] !== "-") {
      ranges.push(escapeInClass(low));
      continue;
    }
    at += 1;
    if (characters[at] === "]") throw malformed(pattern);
    const high = one();
    // A range that runs backwards holds nothing.
    if (low <= high) ranges.push(`${escapeInClass(low)}-${escapeInClass(high)}`);
    else ranges.push("");
  }
  const inner = ranges.join("");
  if (inner === "") return { text: isNegated ? "[^/]" : "(?!)", end: at };
  return { text: isNegated ? `(?!/)[^${inner}]` : `(?!/)[${inner}]`, end: at };
}

function get(
  characters: readonly string[],
  { pattern, at }: { readonly pattern: string; readonly at: number },
): string {
  const character = characters[at];
  if (character === undefined) throw malformed(pattern);
  return character;
}

const escapeInClass = (character: string): string => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;

const malformed = (pattern: string): UsageError =>
  new UsageError(`Cannot use pattern ${JSON.stringify(pattern)}: it ends too early`, {
    hint: 'Write "\\\\[" for a "[" that begins no class',
  });
