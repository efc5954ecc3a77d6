/** `printf` of a template: Go's verbs for what a list holds, with flags, width and precision. */
import { TemplateError, type Value } from "./node.ts";
import { showValue } from "./show_value.ts";

/** Widest field, and longest fraction of a number. */
const WIDTH_MAX = 1000;
const FRACTION_MAX = 100;
/** Digits of a fraction, where none are asked for. */
const FRACTION = 6;

const VERB = /%(?<flags>[-+ 0]*)(?<width>\d*)(?:\.(?<precision>\d*))?(?<verb>.?)/gsu;

/** Fills `%s`, `%v`, `%q`, `%d`, `%x`, `%t`, `%f` and `%%`, e.g. `%-20s`, `%.12s`, `%5d`. @throws {TemplateError} */
export function printf(format: string, values: readonly Value[]): string {
  const rest = [...values];
  const pieces: string[] = [];
  let end = 0;
  for (const { 0: whole, index, groups = {} } of format.matchAll(VERB)) {
    pieces.push(format.slice(end, index), groups["verb"] === "%" ? "%" : field(whole, groups, rest.shift()));
    end = index + whole.length;
  }
  return pieces.join("") + format.slice(end);
}

function field(whole: string, groups: Readonly<Record<string, string | undefined>>, value: Value): string {
  const { flags = "", width = "", precision, verb = "" } = groups;
  const text = shown(whole, {
    verb,
    value,
    precision: precision === undefined ? undefined : Number(precision),
  });
  const isNumber = typeof value === "number" && verb !== "s" && verb !== "q";
  const signed = isNumber && value >= 0 && flags.includes("+") ? `+${text}` : text;
  return padded(signed, { width: Math.min(Number(width), WIDTH_MAX), flags, isNumber });
}

interface Shown {
  readonly verb: string;
  readonly value: Value;
  readonly precision: number | undefined;
}

function shown(whole: string, { verb, value, precision }: Shown): string {
  const text = showValue(value);
  const cut = precision === undefined ? text : [...text].slice(0, precision).join("");
  switch (verb) {
    case "s":
      return cut;
    case "q":
      return JSON.stringify(cut);
    case "v":
    case "d":
    case "t":
      return text;
    case "x":
      return typeof value === "number" ? value.toString(16) : Buffer.from(text).toString("hex");
    case "f":
      if (typeof value === "number") return value.toFixed(Math.min(precision ?? FRACTION, FRACTION_MAX));
  }
  throw new TemplateError(`printf has no ${JSON.stringify(whole)} for ${JSON.stringify(text)}`);
}

interface Field {
  readonly width: number;
  readonly flags: string;
  readonly isNumber: boolean;
}

function padded(text: string, { width, flags, isNumber }: Field): string {
  const missing = width - [...text].length;
  if (missing <= 0) return text;
  if (flags.includes("-")) return text + " ".repeat(missing);
  if (!isNumber || !flags.includes("0")) return " ".repeat(missing) + text;
  const sign = /^[-+]/.exec(text)?.[0] ?? "";
  return sign + "0".repeat(missing) + text.slice(sign.length);
}
