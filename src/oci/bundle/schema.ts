/**
 * Shapes of JSON as data, and one function that walks a value along its shape and collects every fault. Tables cost
 * less at a cold start than a function for each field; and here and in the tables' rules what each start passes uses
 * loops, no regular expressions and no functions such as map() and find(): the first call of each costs 20 to 50 µs. What has a fault is taken out of the tree, so that the rules
 * between fields (`rule`) see nothing that has not its type. As in Go's decoder, null counts as absent and unknown
 * fields are left alone (config.md#extensibility).
 */

import { show } from "../json.ts";
import type { Int64 } from "./config.ts";
import type { Faults } from "./fault.ts";

/** Says of a value of the right type what is wrong with it; undefined: nothing. */
export type Judge = (text: string) => string | undefined;

/** Reports a fault of a record, at a field (`limit`, `uidMappings[2]`; "" for the record itself). */
export type Report = (field: string, message: string, section?: string) => void;

/** What every shape may carry. */
interface Described {
  /** Clause of the specification, for this and what is in it; undefined: that of what it is in. */
  readonly section?: string;
}

/** A string; never with a NUL, at which the kernel would cut it short. */
export interface Text extends Described {
  readonly kind: "text";
  /** Most bytes of UTF-8. */
  readonly bytesMax: number;
  readonly judge: Judge | undefined;
}

/** A whole number. */
export interface Whole extends Described {
  readonly kind: "whole";
  readonly min: Int64;
  readonly max: Int64;
  /** Values by which some callers say "not set". */
  readonly unset: readonly Int64[];
}

/** An array. */
export interface List extends Described {
  readonly kind: "list";
  readonly of: Schema;
  readonly countMax: number;
}

/** An object whose keys are free. */
export interface Dictionary extends Described {
  readonly kind: "map";
  readonly of: Schema;
  readonly countMax: number;
  readonly judgeKey: Judge;
}

/** An object with known fields. */
export interface RecordSchema extends Described {
  readonly kind: "record";
  readonly section: string;
  readonly fields: Readonly<Record<string, Schema>>;
  readonly required: readonly string[];
  /** Fields without which the rule would find what is not so: it is left out when they have a fault. */
  readonly needs: readonly string[];
  /** Checks fields against each other. */
  readonly rule: ((record: never, report: Report) => void) | undefined;
}

/** A shape. */
export type Schema =
  | Text
  | Whole
  | List
  | Dictionary
  | RecordSchema
  | ({ readonly kind: "flag" } & Described)
  | ({ readonly kind: "object" } & Described)
  | ({ readonly kind: "refused"; readonly reason: string } & Described);

/** Most bytes of a path for the kernel: PATH_MAX without the NUL. */
export const PATH_BYTES_MAX = 4095;
/** Most bytes of a name in a file system: NAME_MAX. */
export const NAME_BYTES_MAX = 255;
/** Most bytes of any other text: MAX_ARG_STRLEN, the kernel's longest argument, without the NUL. */
export const TEXT_BYTES_MAX = 131_071;
/** Most elements of a list for which nothing else sets a bound. */
export const LIST_COUNT_MAX = 4096;
/** Most bytes that UTF-8 takes for one unit of a string. */
const UTF8_BYTES_MAX = 3;

/** True or false. */
export const flag: Schema = { kind: "flag" };
/** An object that another parser checks. */
export const anyObject: Schema = { kind: "object" };

/** @param judge sees what has no NUL and at most `bytesMax` bytes. */
export function text(bytesMax = TEXT_BYTES_MAX, judge?: Judge): Text {
  return { kind: "text", bytesMax, judge };
}

/** One of some words. */
export function oneOf(...words: readonly string[]): Text {
  return text(TEXT_BYTES_MAX, (value) =>
    words.includes(value) ? undefined : `expected one of ${words.join(", ")}, found ${show(value)}`,
  );
}

/** An absolute path. */
export const absolutePath: Schema = text(PATH_BYTES_MAX, (path) =>
  path.startsWith("/") ? undefined : `expected an absolute path, found ${show(path)}`,
);

/** A whole number of the given range; values of `unset` count as absent. */
export function whole(min: Int64, max: Int64, ...unset: readonly Int64[]): Whole {
  return { kind: "whole", min, max, unset };
}

/** An array of at most `countMax` elements. */
export function list(of: Schema, countMax = LIST_COUNT_MAX): List {
  return { kind: "list", of, countMax };
}

/** An object with free keys, each judged. */
export function map(of: Schema, judgeKey: Judge, countMax = LIST_COUNT_MAX): Dictionary {
  return { kind: "map", of, judgeKey, countMax };
}

/** A shape that a section of the specification is about. */
export function inSection(section: string, schema: Schema): Schema {
  return { ...schema, section };
}

/** An object with known fields, described in a section of the specification. */
export function record<Type>(
  section: string,
  fields: Readonly<Record<string, Schema>>,
  more: {
    readonly required?: readonly string[];
    readonly needs?: readonly string[];
    readonly rule?: (record: Type, report: Report) => void;
  } = {},
): RecordSchema {
  return {
    kind: "record",
    section,
    fields,
    required: more.required ?? [],
    needs: more.needs ?? [],
    rule: more.rule,
  };
}

/**
 * Walks `value` along `schema`; faults go to `faults`, and what has one is removed from its parent.
 * @returns whether the value itself may stay
 */
export function checkValue(value: unknown, schema: RecordSchema, faults: Faults): boolean {
  return check({ faults, way: [], section: schema.section }, value, schema);
}

/**
 * Where a walk is. Paths are put together for a fault only: nearly all configurations have none.
 */
interface Walk {
  readonly faults: Faults;
  /** Keys and indices that lead to the value at hand. */
  readonly way: Array<string | number>;
  section: string;
}

function check(walk: Walk, value: unknown, schema: Schema): boolean {
  const outer = walk.section;
  if (schema.section !== undefined) walk.section = schema.section;
  const isGood = checkKind(walk, value, schema);
  walk.section = outer;
  return isGood;
}

function checkKind(walk: Walk, value: unknown, schema: Schema): boolean {
  switch (schema.kind) {
    case "text":
      return checkText(walk, value, schema);
    case "whole":
      return checkWhole(walk, value, schema);
    case "flag":
      return typeof value === "boolean" || refuse(walk, `expected true or false, found ${show(value)}`);
    case "list":
      return checkList(walk, value, schema);
    case "map":
      return checkMap(walk, value, schema);
    case "record":
      return checkRecord(walk, value, schema);
    case "object":
      return isObject(value) || refuse(walk, `expected an object, found ${show(value)}`);
    case "refused":
      return refuse(walk, schema.reason);
  }
}

function checkText(walk: Walk, value: unknown, { bytesMax, judge }: Text): boolean {
  if (typeof value !== "string") return refuse(walk, `expected a string, found ${show(value)}`);
  if (value.includes("\0")) return refuse(walk, "it contains a NUL character");
  if (value.length * UTF8_BYTES_MAX > bytesMax && byteLength(value) > bytesMax) {
    return refuse(walk, `it has ${byteLength(value)} bytes, at most ${bytesMax} are possible`);
  }
  const complaint = judge?.(value);
  return complaint === undefined || refuse(walk, complaint);
}

/** Apart: a function that names Buffer costs 0.15 ms the first time, even if it does not get so far. */
function byteLength(value: string): number {
  return Buffer.byteLength(value);
}

function checkWhole(walk: Walk, value: unknown, { min, max }: Whole): boolean {
  const isWhole = typeof value === "bigint" || Number.isSafeInteger(value);
  if (isWhole && (value as Int64) >= min && (value as Int64) <= max) return true;
  return refuse(walk, `expected a whole number from ${min} to ${max}, found ${show(value)}`);
}

function checkList(walk: Walk, value: unknown, { of, countMax }: List): boolean {
  if (!Array.isArray(value)) return refuse(walk, `expected an array, found ${show(value)}`);
  if (value.length > countMax) {
    return refuse(walk, `it has ${value.length} elements, at most ${countMax} are possible`);
  }
  let isGood = true;
  for (let index = 0; index < value.length; index++) {
    walk.way.push(index);
    if (!check(walk, value[index], of)) isGood = false;
    walk.way.pop();
  }
  return isGood;
}

function checkMap(walk: Walk, value: unknown, { of, countMax, judgeKey }: Dictionary): boolean {
  if (!isObject(value)) return refuse(walk, `expected an object, found ${show(value)}`);
  const keys = Object.keys(value);
  if (keys.length > countMax) {
    return refuse(walk, `it has ${keys.length} entries, at most ${countMax} are possible`);
  }
  for (const key of keys) {
    walk.way.push(key);
    const complaint = key.includes("\0") ? "the name contains a NUL character" : judgeKey(key);
    if (complaint !== undefined) refuse(walk, complaint);
    if (complaint !== undefined || !check(walk, value[key], of)) delete value[key];
    walk.way.pop();
  }
  return true;
}

function checkRecord(walk: Walk, value: unknown, schema: RecordSchema): boolean {
  if (!isObject(value)) return refuse(walk, `expected an object, found ${show(value)}`);
  const { fields, required, needs, rule } = schema;
  for (const name in fields) {
    const child = value[name];
    if (child === undefined) continue;
    walk.way.push(name);
    const field = fields[name] as Schema;
    if (isAbsent(child, field) || !check(walk, child, field)) delete value[name];
    walk.way.pop();
  }
  let isGood = true;
  for (const name of required) {
    if (value[name] !== undefined) continue;
    isGood = false;
    report(walk, name, { message: "it is required", section: fields[name]?.section });
  }
  if (isGood && rule !== undefined && !haveFaults(walk, needs)) {
    rule(value as never, (name, message, section) => report(walk, name, { message, section }));
  }
  return isGood;
}

function haveFaults(walk: Walk, fields: readonly string[]): boolean {
  if (walk.faults.list.length === 0) return false;
  return fields.some((field) => walk.faults.has(pathOf(walk, field)));
}

/** A fault of a field, unless it has one: a value that was taken out for another fault is not missing. */
function report(
  walk: Walk,
  field: string,
  { message, section = walk.section }: { readonly message: string; readonly section?: string | undefined },
): void {
  const path = pathOf(walk, field);
  if (!walk.faults.has(path)) walk.faults.add({ path, message, section });
}

function refuse(walk: Walk, message: string): false {
  walk.faults.add({ path: pathOf(walk, ""), message, section: walk.section });
  return false;
}

/** Path of a field of the value at hand, or with "" of the value itself. */
function pathOf({ way }: Walk, field: string): string {
  const path = way.reduce<string>(
    (before, key) => (typeof key === "number" ? `${before}[${key}]` : entryPath(before, key)),
    "",
  );
  return path === "" || field === "" || field.startsWith("[") ? path + field : `${path}.${field}`;
}

/** Path of an entry with any key: `linux.sysctl["net.core.somaxconn"]`, `annotations.name`. */
export function entryPath(path: string, key: string): string {
  if (!/^\w{1,100}$/.test(key)) return `${path}[${show(key)}]`;
  return path === "" ? key : `${path}.${key}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether a field counts as not set: null, and an empty text, by which Go's programs mean the same. */
function isAbsent(value: unknown, schema: Schema): boolean {
  if (value === null) return true;
  if (schema.kind === "text") return value === "";
  return schema.kind === "whole" && schema.unset.includes(value as Int64);
}
