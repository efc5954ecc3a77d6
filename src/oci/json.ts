/**
 * Steps from unknown JSON to exact types. Each takes the path of the value for its message ("config.Env[3]"), so that
 * an error names the field. Documents come from registries and are hostile: sizes are checked before parsing.
 */

/** Largest manifest, index or config (distribution-spec, spec.md#pushing-manifests asks for at least 4 MiB). */
export const DOCUMENT_BYTES_MAX = 4 * 1024 * 1024;

const SHOWN_LENGTH_MAX = 100;

/** A parsed JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Parses a document whose top level is an object.
 * @param what names the document in messages, e.g. `manifest`
 * @throws {RangeError} above {@link DOCUMENT_BYTES_MAX}
 * @throws {SyntaxError} unless it is UTF-8 JSON with an object at the top
 */
export function parseJsonObject(bytes: Uint8Array, what: string): JsonObject {
  if (bytes.length > DOCUMENT_BYTES_MAX) {
    throw new RangeError(
      `Cannot read ${what}: it has ${bytes.length} bytes, at most ${DOCUMENT_BYTES_MAX} are read`,
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    // Bytes that are not UTF-8 end in a TypeError.
    throw new SyntaxError(`Cannot read ${what}: it is not valid JSON`, { cause });
  }
  return objectAt(value, what);
}

/** @throws {SyntaxError} unless `value` is an object */
export function objectAt(value: unknown, path: string): JsonObject {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw new SyntaxError(`Cannot read ${path}: expected an object, found ${show(value)}`);
}

/** The object at `key`; undefined when it is absent or null. */
export function optionalObject(object: JsonObject, key: string, path: string): JsonObject | undefined {
  const value = object[key];
  return value === undefined || value === null ? undefined : objectAt(value, `${path}.${key}`);
}

/** The array at `key`; empty when it is absent or null. @throws {RangeError} when it is longer than `countMax` */
export function arrayAt(value: unknown, path: string, countMax: number): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value))
    throw new SyntaxError(`Cannot read ${path}: expected an array, found ${show(value)}`);
  if (value.length > countMax) {
    throw new RangeError(`Cannot read ${path}: it has ${value.length} items, at most ${countMax} are read`);
  }
  return value;
}

/**
 * @throws {SyntaxError} unless `value` is a string without a NUL: the kernel would see it cut short there, so what was
 * checked would not be what is used
 */
export function stringAt(value: unknown, path: string): string {
  if (typeof value !== "string") {
    throw new SyntaxError(`Cannot read ${path}: expected a string, found ${show(value)}`);
  }
  if (value.includes("\0")) throw new SyntaxError(`Cannot read ${path}: it contains a NUL character`);
  return value;
}

/** The string at `key`; undefined when it is absent, null or empty. */
export function optionalString(object: JsonObject, key: string, path: string): string | undefined {
  const value = object[key];
  if (value === undefined || value === null || value === "") return undefined;
  return stringAt(value, `${path}.${key}`);
}

/** The strings at `key`; empty when it is absent or null. */
export function stringsAt(value: unknown, path: string, countMax: number): readonly string[] {
  return arrayAt(value, path, countMax).map((item, index) => stringAt(item, `${path}[${index}]`));
}

/** @throws {SyntaxError} unless `value` is an integer from 0 up to 2^53 */
export function sizeAt(value: unknown, path: string): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new SyntaxError(`Cannot read ${path}: expected a size in bytes, found ${show(value)}`);
}

/**
 * The value for a message, cut short; foreign text is quoted, and what a terminal would obey or not show is written
 * as its number, so that it can forge nothing.
 */
export function show(value: unknown, lengthMax = SHOWN_LENGTH_MAX): string {
  if (value === undefined) return "nothing";
  // Never printed in full: a list nested a million deep parses, but cannot be written again.
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object" && value !== null) return "an object";
  const quoted = typeof value === "bigint" ? String(value) : JSON.stringify(value);
  const text = quoted.replace(/\p{C}/gu, (sign) => `\\u{${sign.codePointAt(0)?.toString(16)}}`);
  return text.length > lengthMax ? `${text.slice(0, lengthMax)}…` : text;
}
