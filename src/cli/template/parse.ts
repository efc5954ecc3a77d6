/**
 * Reads a template: a part of Go's text/template. There are fields (`.A.B`), `$`, variables, strings, numbers, pipes,
 * parentheses, function calls, and `if`, `else`, `else if`, `with`, `range`, `end`; no templates within templates.
 */
import { FUNCTIONS } from "./functions.ts";
import { lex, type Piece } from "./lex.ts";
import { type Expression, type Node, TemplateError } from "./node.ts";

/** Deepest nesting of blocks and parentheses. */
export const DEPTH_MAX = 32;

/** A template that was read. */
export type Template = readonly Node[];

/** @throws {TemplateError} */
export function parseTemplate(text: string): Template {
  const reader = new Reader(lex(text));
  const { nodes, end } = reader.block(0);
  if (end !== undefined) throw new TemplateError(`"${end.join(" ")}" stands outside of a block`);
  return nodes;
}

interface Block {
  readonly nodes: readonly Node[];
  /** Words of the `end` or `else` that the block ends with; undefined at the end of the template. */
  readonly end: readonly string[] | undefined;
}

class Reader {
  readonly #pieces: readonly Piece[];
  #at = 0;

  constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces;
  }

  block(depth: number): Block {
    if (depth > DEPTH_MAX) throw new TemplateError(`blocks are nested deeper than ${DEPTH_MAX}`);
    const nodes: Node[] = [];
    for (let piece = this.#next(); piece !== undefined; piece = this.#next()) {
      if (piece.kind === "text") {
        nodes.push(piece);
        continue;
      }
      const [first] = piece.words;
      if (first === "end" || first === "else") return { nodes, end: piece.words };
      nodes.push(this.#action(piece.words, depth));
    }
    return { nodes, end: undefined };
  }

  #next(): Piece | undefined {
    const piece = this.#pieces[this.#at];
    this.#at += 1;
    return piece;
  }

  #action(words: readonly string[], depth: number): Node {
    const [first = "", second] = words;
    if (first === "if" || first === "with" || first === "range")
      return this.#control(first, words.slice(1), depth);
    if (/^\$\w/.test(first) && (second === ":=" || second === "=")) {
      return { kind: "assign", name: first, value: parseExpression(words.slice(2)) };
    }
    return { kind: "print", value: parseExpression(words) };
  }

  #control(kind: "if" | "with" | "range", words: readonly string[], depth: number): Node {
    const assigned = words.indexOf(":=");
    const variables = assigned < 0 ? [] : words.slice(0, assigned).filter((word) => word !== ",");
    if (variables.length > 2 || variables.some((name) => !/^\$\w+$/.test(name))) {
      throw new TemplateError(`"${words.slice(0, assigned).join(" ")}" are no variables`);
    }
    const value = parseExpression(words.slice(assigned + 1));
    const { nodes: body, end } = this.block(depth + 1);
    return { kind, value, variables, body, otherwise: this.#otherwise(kind, end, depth) };
  }

  #otherwise(kind: string, end: readonly string[] | undefined, depth: number): readonly Node[] {
    if (end === undefined) throw new TemplateError(`"${kind}" has no "end"`);
    const [word, next, ...rest] = end;
    if (word === "end" && next === undefined) return [];
    if (word === "else" && next === "if") return [this.#control("if", rest, depth + 1)];
    if (end.length > 1) throw new TemplateError(`"${end.join(" ")}" has too many words`);
    const block = this.block(depth + 1);
    if (block.end?.join(" ") !== "end") throw new TemplateError(`"else" has no "end"`);
    return block.nodes;
  }
}

/** Reads a pipeline: each command gets the result of the one before as its last argument. */
function parseExpression(words: readonly string[]): Expression {
  const cursor = { words, at: 0 };
  const expression = pipeline(cursor, 0);
  const left = words[cursor.at];
  if (left !== undefined) throw new TemplateError(`"${left}" is not expected`);
  return expression;
}

interface Cursor {
  readonly words: readonly string[];
  at: number;
}

function pipeline(cursor: Cursor, depth: number): Expression {
  if (depth > DEPTH_MAX) throw new TemplateError(`parentheses are nested deeper than ${DEPTH_MAX}`);
  let result = command(cursor, depth, undefined);
  while (cursor.words[cursor.at] === "|") {
    cursor.at += 1;
    result = command(cursor, depth, result);
  }
  return result;
}

function command(cursor: Cursor, depth: number, piped: Expression | undefined): Expression {
  const word = cursor.words[cursor.at];
  if (word === undefined || word === "|" || word === ")") throw new TemplateError("a value is missing");
  const isFunction = FUNCTIONS.has(word);
  if (isFunction) cursor.at += 1;
  const operands: Expression[] = [];
  for (let next = cursor.words[cursor.at]; next !== undefined; next = cursor.words[cursor.at]) {
    if (next === "|" || next === ")") break;
    operands.push(operand(cursor, depth));
  }
  if (isFunction) {
    return { kind: "call", name: word, arguments: piped === undefined ? operands : [...operands, piped] };
  }
  const [value, ...others] = operands;
  if (value === undefined || others.length > 0 || piped !== undefined) {
    throw new TemplateError(`"${word}" is no function and takes no arguments`);
  }
  return value;
}

function operand(cursor: Cursor, depth: number): Expression {
  const word = cursor.words[cursor.at] ?? "";
  cursor.at += 1;
  if (word !== "(") return atom(word);
  const inner = pipeline(cursor, depth + 1);
  if (cursor.words[cursor.at] !== ")") throw new TemplateError('a "(" has no ")"');
  cursor.at += 1;
  const next = cursor.words[cursor.at] ?? "";
  if (!/^\.\w/.test(next)) return inner;
  cursor.at += 1;
  return { kind: "field", of: inner, names: next.slice(1).split(".") };
}

function atom(word: string): Expression {
  if (word === ".") return { kind: "dot" };
  if (word.startsWith("`")) return { kind: "literal", value: word.slice(1, -1) };
  if (word.startsWith('"')) return { kind: "literal", value: unquote(word) };
  if (/^-?\d/.test(word)) return { kind: "literal", value: Number(word) };
  if (word === "true" || word === "false") return { kind: "literal", value: word === "true" };
  if (word === "nil") return { kind: "literal", value: null };
  if (FUNCTIONS.has(word)) return { kind: "call", name: word, arguments: [] };
  const [head = "", ...names] = word.split(".");
  if (head !== "" && !head.startsWith("$")) throw new TemplateError(`there is no function "${word}"`);
  const of: Expression = head === "" ? { kind: "dot" } : { kind: "variable", name: head };
  return names.length === 0 ? of : { kind: "field", of, names };
}

function unquote(word: string): string {
  try {
    return JSON.parse(word) as string;
  } catch {
    // Escapes that Go has and JSON has not.
    throw new TemplateError(`${word} is no string: write \\n, \\t, \\", \\\\ or \\u0041`);
  }
}
