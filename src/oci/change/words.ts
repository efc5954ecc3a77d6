/**
 * Words of a Dockerfile's instruction, as its reference describes them: parted by white space, quoted, and with
 * variables put in (`$NAME`, `${NAME}`, `${NAME:-other}`, `${NAME:+other}`), which single quotes and backslashes prevent.
 */

/** Values of variables; one that is missing is empty. */
export type Variables = ReadonlyMap<string, string>;

/** Why a change cannot be applied; whoever knows the change makes an error of it. */
export class ChangeFault extends SyntaxError {
  readonly state: string;

  constructor(state: string) {
    super(`Cannot apply a change: ${state}`);
    this.state = state;
  }
}

/** Shorter to write. */
export const fault = (state: string): ChangeFault => new ChangeFault(state);

/** Longest text of one instruction; no real one has a tenth of it. */
export const INSTRUCTION_LENGTH_MAX = 1 << 16;
/** Deepest `${A:-${B:-…}}`. */
const DEPTH_MAX = 16;

const NAME = /^[A-Za-z_][A-Za-z0-9_]*/;

/**
 * Splits `text` into words.
 * @throws {ChangeFault} for a quote or a brace that is not closed
 */
export function splitWords(text: string, variables: Variables): string[] {
  const words: string[] = [];
  const scanner = new Scanner(text, variables);
  for (let word = scanner.word(); word !== undefined; word = scanner.word()) words.push(word);
  return words;
}

/** One word of the whole text, white space included. @throws {ChangeFault} as {@link splitWords} */
export function expandText(text: string, variables: Variables): string {
  return new Scanner(text.trim(), variables).text(() => false);
}

/** @returns undefined unless the text is a JSON array of strings */
export function jsonWords(text: string): readonly string[] | undefined {
  if (!text.startsWith("[")) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    const isWords = Array.isArray(value) && value.every((item) => typeof item === "string");
    return isWords ? (value as readonly string[]) : undefined;
  } catch {
    // `[ -f /x ] && y` is a command of the shell.
    return undefined;
  }
}

class Scanner {
  readonly #text: string;
  readonly #variables: Variables;
  #at = 0;
  #depth = 0;

  constructor(text: string, variables: Variables) {
    this.#text = text;
    this.#variables = variables;
  }

  /** @returns undefined when there is none left */
  word(): string | undefined {
    while (isSpace(this.#text[this.#at])) this.#at += 1;
    return this.#at >= this.#text.length ? undefined : this.text(isSpace);
  }

  /** Reads on until `ends` holds for a character outside of quotes. */
  text(ends: (character: string) => boolean): string {
    let result = "";
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined || ends(character)) return result;
      this.#at += 1;
      if (character === "'") result += this.#singleQuoted();
      else if (character === '"') result += this.#doubleQuoted();
      else if (character === "$") result += this.#variable();
      else if (character === "\\") result += this.#text[this.#at++] ?? "";
      else result += character;
    }
  }

  #singleQuoted(): string {
    const end = this.#text.indexOf("'", this.#at);
    if (end < 0) throw fault("a single quote is not closed");
    const content = this.#text.slice(this.#at, end);
    this.#at = end + 1;
    return content;
  }

  #doubleQuoted(): string {
    let result = "";
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined) throw fault("a double quote is not closed");
      this.#at += 1;
      if (character === '"') return result;
      if (character === "$") result += this.#variable();
      else if (character === "\\" && '"$\\'.includes(this.#text[this.#at] ?? " "))
        result += this.#text[this.#at++];
      else result += character;
    }
  }

  #variable(): string {
    if (this.#text[this.#at] === "{") return this.#braced();
    const name = NAME.exec(this.#text.slice(this.#at))?.[0];
    if (name === undefined) return "$";
    this.#at += name.length;
    return this.#variables.get(name) ?? "";
  }

  #braced(): string {
    this.#at += 1;
    const name = NAME.exec(this.#text.slice(this.#at))?.[0];
    if (name === undefined) throw fault('"${" is not followed by a name');
    this.#at += name.length;
    const value = this.#variables.get(name) ?? "";
    const modifier = /^:[-+]/.exec(this.#text.slice(this.#at, this.#at + 2))?.[0];
    this.#at += modifier?.length ?? 0;
    const other = modifier === undefined ? "" : this.#other();
    if (this.#text[this.#at] !== "}") throw fault(`"\${${name}" is not closed`);
    this.#at += 1;
    if (modifier === ":-") return value === "" ? other : value;
    return modifier === ":+" && value !== "" ? other : modifier === undefined ? value : "";
  }

  #other(): string {
    this.#depth += 1;
    if (this.#depth > DEPTH_MAX) throw fault("variables are nested too deeply");
    const text = this.text((character) => character === "}");
    this.#depth -= 1;
    return text;
  }
}

function isSpace(character: string | undefined): boolean {
  return character === " " || character === "\t";
}
