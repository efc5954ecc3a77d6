/** The functions of a template: those of Go's text/template and of docker's --format. All are pure. */
import { harmlessJson } from "../output.ts";
import { TemplateError, type Value } from "./node.ts";
import { printf } from "./printf.ts";
import { showValue } from "./show_value.ts";

type TemplateFunction = (values: readonly Value[]) => Value;

/** Longest text that `pad` makes. */
const PAD_MAX = 1000;

const text = (value: Value): string => (typeof value === "string" ? value : showValue(value));

const compare = (test: (order: number) => boolean): TemplateFunction => {
  return ([one, other]) => {
    if (typeof one === "number" && typeof other === "number") return test(one - other);
    return test(text(one) < text(other) ? -1 : text(one) === text(other) ? 0 : 1);
  };
};

/** True for what Go takes for true: not empty, not zero. */
export function isTruth(value: Value): boolean {
  if (value === null || value === undefined) return false;
  if (typeof value === "object") return lengthOf(value) > 0;
  return value !== "" && value !== 0 && value !== false;
}

function lengthOf(value: Value): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  if (Array.isArray(value)) return value.length;
  // Lists and maps are what an image may lack.
  if (value === null || value === undefined) return 0;
  if (typeof value === "object") return Object.keys(value).length;
  throw new TemplateError(`len of ${showValue(value)} is not defined`);
}

function index([value, ...keys]: readonly Value[]): Value {
  let at: Value = value;
  for (const key of keys) {
    if (Array.isArray(at)) {
      const list: readonly Value[] = at;
      if (typeof key !== "number" || !Number.isInteger(key) || key < 0 || key >= list.length) {
        throw new TemplateError(`index ${showValue(key)} is out of range`);
      }
      at = list[key];
    } else if (typeof at === "object" && at !== null) {
      const object = at as { readonly [key: string]: Value };
      // Of an absent key Go gives the empty value of the map's type, which is a string in nearly all cases.
      at = Object.hasOwn(object, text(key)) ? object[text(key)] : "";
    } else if (at === null || at === undefined) {
      return "";
    } else {
      throw new TemplateError(`there is no index into ${showValue(at)}`);
    }
  }
  return at;
}

function join([list, separator = " "]: readonly Value[]): Value {
  if (list === null || list === undefined) return "";
  if (!Array.isArray(list)) throw new TemplateError("join is for lists");
  return list.map(text).join(text(separator));
}

function pad([value, before = 0, after = 0]: readonly Value[]): Value {
  const [left, right] = [before, after].map((count) => Math.min(Math.max(0, Number(count)), PAD_MAX));
  return text(value) === "" ? "" : " ".repeat(left ?? 0) + text(value) + " ".repeat(right ?? 0);
}

const title = (word: string): string =>
  word.replace(/(?<![\p{L}\p{N}])\p{L}/gu, (letter) => letter.toUpperCase());

function slice([value, from = 0, to]: readonly Value[]): Value {
  if (typeof value !== "string" && !Array.isArray(value))
    throw new TemplateError("slice is for texts and lists");
  const [start, end] = [Number(from), to === undefined ? value.length : Number(to)];
  if (!(0 <= start && start <= end && end <= value.length)) {
    throw new TemplateError(`slice ${start} to ${end} is out of range: there are ${value.length}`);
  }
  return value.slice(start, end) as Value;
}

/** By name. */
export const FUNCTIONS: ReadonlyMap<string, TemplateFunction> = new Map<string, TemplateFunction>([
  ["json", ([value]) => harmlessJson(JSON.stringify(value ?? null))],
  ["join", join],
  ["upper", ([value]) => text(value).toUpperCase()],
  ["lower", ([value]) => text(value).toLowerCase()],
  ["title", ([value]) => title(text(value))],
  ["split", ([value, separator]) => text(value).split(text(separator))],
  ["truncate", ([value, length]) => [...text(value)].slice(0, Math.max(0, Number(length))).join("")],
  ["pad", pad],
  ["len", ([value]) => lengthOf(value)],
  ["index", index],
  ["slice", slice],
  ["print", (values) => values.map(text).join("")],
  ["println", (values) => `${values.map(text).join(" ")}\n`],
  ["printf", ([format, ...values]) => printf(text(format), values)],
  ["not", ([value]) => !isTruth(value)],
  ["and", (values) => values.find((value) => !isTruth(value)) ?? values.at(-1)],
  ["or", (values) => values.find(isTruth) ?? values.at(-1)],
  ["eq", ([value, ...others]) => others.some((other) => text(other) === text(value))],
  ["ne", ([one, other]) => text(one) !== text(other)],
  ["lt", compare((order) => order < 0)],
  ["le", compare((order) => order <= 0)],
  ["gt", compare((order) => order > 0)],
  ["ge", compare((order) => order >= 0)],
]);
