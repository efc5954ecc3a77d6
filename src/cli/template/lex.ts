/**
 * Cuts a template into text and actions, and an action into words. In text `\t` and `\n` mean what they do to docker, since
 * shells hand them on as they are; in the strings of an action they are escapes anyway.
 */
import { TemplateError } from "./node.ts";

/** Longest template in characters. */
export const TEMPLATE_LENGTH_MAX = 65_536;

/** Text as it is, or the words of what stood between `{{` and `}}`. */
export type Piece =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "action"; readonly words: readonly string[] };

/** White space, strings, numbers, names with their fields, and signs. */
const WORD =
  /\s+|"(?:[^"\\\n]|\\.)*"|`[^`]*`|-?\d+(?:\.\d+)?(?![\w.])|\$?\.?[\p{L}_][\p{L}\p{N}_]*(?:\.[\p{L}_][\p{L}\p{N}_]*)*|:=|[.$|(),=]/uy;

/**
 * Cuts a template. `{{-` and `-}}` take the white space beside them away; comments are left out.
 * @throws {TemplateError}
 */
export function lex(template: string): Piece[] {
  if (template.length > TEMPLATE_LENGTH_MAX) {
    throw new TemplateError(`it has more than ${TEMPLATE_LENGTH_MAX} characters`);
  }
  const pieces: Piece[] = [];
  let trims = false;
  for (let at = 0; at < template.length; ) {
    const open = template.indexOf("{{", at);
    const text = unescaped(template.slice(at, open < 0 ? template.length : open));
    const trimsBefore = open >= 0 && /^-\s/.test(template.slice(open + 2, open + 4));
    const left = trims ? text.trimStart() : text;
    const shown = trimsBefore ? left.trimEnd() : left;
    if (shown !== "") pieces.push({ kind: "text", text: shown });
    if (open < 0) break;
    const start = open + (trimsBefore ? 3 : 2);
    const close = endOfAction(template, start);
    const inside = template.slice(start, close);
    trims = /\s-$/.test(inside);
    const action = (trims ? inside.slice(0, -1) : inside).trim();
    const isComment = action.startsWith("/*") && action.endsWith("*/");
    if (!isComment) pieces.push({ kind: "action", words: wordsOf(action) });
    at = close + 2;
  }
  return pieces;
}

const unescaped = (text: string): string => text.replaceAll("\\t", "\t").replaceAll("\\n", "\n");

/** Position of the `}}` that is in no string. */
function endOfAction(template: string, start: number): number {
  let quote = "";
  for (let at = start; at < template.length; at += 1) {
    const sign = template.charAt(at);
    if (quote !== "") {
      if (sign === "\\" && quote === '"') at += 1;
      else if (sign === quote) quote = "";
    } else if (sign === '"' || sign === "`") {
      quote = sign;
    } else if (template.startsWith("}}", at)) {
      return at;
    }
  }
  throw new TemplateError('an action has no "}}"');
}

function wordsOf(action: string): string[] {
  const words: string[] = [];
  for (let at = 0; at < action.length; ) {
    WORD.lastIndex = at;
    const [word] = WORD.exec(action) ?? [];
    if (word === undefined)
      throw new TemplateError(`${JSON.stringify(action.slice(at, at + 20))} is no word`);
    if (word.trim() !== "") words.push(word);
    at += word.length;
  }
  return words;
}
