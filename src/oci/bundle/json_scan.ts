/**
 * What JSON.parse() does not tell: where a text stops being JSON, and which keys an object has twice. Run
 * only for a document that has a fault, and by `check`: character by character it would take milliseconds at a start.
 */

import { show } from "../json.ts";
import { entryPath } from "./schema.ts";

/** Deepest nesting of arrays and objects; configurations have eight. */
export const DEPTH_MAX = 256;
/** Most duplicate keys that are named. */
const DUPLICATES_MAX = 100;

/** A place in a text where it stops being JSON. */
export interface JsonFault {
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly column: number;
  readonly message: string;
}

/** What is wrong with a text. */
export interface JsonScan {
  readonly fault: JsonFault | undefined;
  /** Paths of fields that stand twice in one object; the last one counts. */
  readonly duplicates: readonly string[];
}

/** Reads a whole text. */
export function scanJson(text: string): JsonScan {
  const scanner = new Scanner(text);
  try {
    scanner.document();
    return { fault: undefined, duplicates: scanner.duplicates };
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    const before = text.slice(0, error.at);
    const line = before.split("\n").length;
    const column = error.at - before.lastIndexOf("\n");
    return { fault: { line, column, message: error.message }, duplicates: scanner.duplicates };
  }
}

/** Ends a scan. */
class Stop extends Error {
  readonly at: number;

  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y;
const WORD = /true|false|null/y;
const SPACE = /[ \t\n\r]*/y;
/** The part of a string up to what is special in it. */
const PLAIN = /[ !#-[\]-\uffff]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

class Scanner {
  readonly duplicates: string[] = [];
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): void {
    this.#value("");
    if (this.#at < this.#text.length) throw this.#stop("the end of the file");
  }

  #value(path: string): void {
    this.#take(SPACE);
    const sign = this.#text[this.#at];
    if (sign === "{") this.#nested("}", () => this.#members(path));
    else if (sign === "[") this.#nested("]", () => this.#elements(path));
    else if (sign === '"') this.#string();
    else if (!this.#take(NUMBER) && !this.#take(WORD)) throw this.#stop("a value");
    this.#take(SPACE);
  }

  /** Reads from an opening sign to its closing one. */
  #nested(close: string, content: () => void): void {
    if (++this.#depth > DEPTH_MAX) throw new Stop(this.#at, `it is nested more than ${DEPTH_MAX} deep`);
    this.#at++;
    this.#take(SPACE);
    if (this.#text[this.#at] !== close) content();
    if (this.#text[this.#at] !== close) throw this.#stop(`"," or "${close}"`);
    this.#at++;
    this.#depth--;
  }

  #members(path: string): void {
    const seen = new Set<string>();
    for (;;) {
      this.#take(SPACE);
      if (this.#text[this.#at] !== '"') throw this.#stop("a name in double quotes");
      const name = this.#string();
      const child = entryPath(path, name);
      if (seen.has(name) && this.duplicates.length < DUPLICATES_MAX) this.duplicates.push(child);
      seen.add(name);
      this.#take(SPACE);
      this.#expect(":");
      this.#value(child);
      if (this.#text[this.#at] !== ",") return;
      this.#at++;
    }
  }

  #elements(path: string): void {
    for (let index = 0; ; index++) {
      this.#value(`${path}[${index}]`);
      if (this.#text[this.#at] !== ",") return;
      this.#at++;
    }
  }

  #string(): string {
    const start = this.#at;
    this.#at++;
    for (;;) {
      this.#take(PLAIN);
      const sign = this.#text[this.#at];
      if (sign === '"') break;
      if (sign === undefined) throw new Stop(start, "a string begins that does not end");
      if (sign !== "\\") throw this.#stop("no control character in a string");
      if (!this.#take(ESCAPE)) throw this.#stop("an escape sequence of JSON");
    }
    this.#at++;
    return JSON.parse(this.#text.slice(start, this.#at));
  }

  #expect(sign: string): void {
    if (this.#text[this.#at] !== sign) throw this.#stop(`"${sign}"`);
    this.#at++;
  }

  /** Goes on behind what matches here; false when nothing does. */
  #take(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    if (!pattern.test(this.#text)) return false;
    this.#at = pattern.lastIndex;
    return true;
  }

  #stop(expected: string): Stop {
    const found = this.#text[this.#at];
    return new Stop(
      this.#at,
      `expected ${expected}, found ${found === undefined ? "the end of the file" : show(found)}`,
    );
  }
}
