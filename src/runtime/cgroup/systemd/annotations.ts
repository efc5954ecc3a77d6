/**
 * Properties of the unit that annotations ask for, as with runc: `org.systemd.property.TimeoutStopUSec` = `uint64 5000000`.
 * The value is GVariant text: `true`, `5`, `uint64 5`, `'text'`, `['a', 'b']`. Pure.
 */
import { CgroupError } from "../cgroup_error.ts";
import type { Property } from "./manager.ts";
import type { Value, Variant } from "./wire.ts";

const PREFIX = "org.systemd.property.";

/** Types by their names in GVariant text; a bare number is an int32. */
const NUMBERS: Readonly<Record<string, readonly [type: string, min: bigint, max: bigint]>> = {
  byte: ["y", 0n, 255n],
  int16: ["n", -(2n ** 15n), 2n ** 15n - 1n],
  uint16: ["q", 0n, 2n ** 16n - 1n],
  int32: ["i", -(2n ** 31n), 2n ** 31n - 1n],
  uint32: ["u", 0n, 2n ** 32n - 1n],
  int64: ["x", -(2n ** 63n), 2n ** 63n - 1n],
  uint64: ["t", 0n, 2n ** 64n - 1n],
};

/** @throws {CgroupError} that names an annotation whose name or value cannot be read */
export function annotatedProperties(annotations: Readonly<Record<string, string>> = {}): Property[] {
  return Object.entries(annotations).flatMap(([key, text]) => {
    if (!key.startsWith(PREFIX)) return [];
    const name = key.slice(PREFIX.length);
    const variant = parseVariant(text.trim());
    if (variant === undefined || !/^[A-Z][A-Za-z]*$/.test(name)) {
      throw new CgroupError(
        `Cannot use the annotation ${JSON.stringify(key)}: no property or value of systemd`,
      );
    }
    return [inMicroseconds(name, variant)];
  });
}

/** Times may be given in seconds, as in unit files: `TimeoutStopSec`; D-Bus knows microseconds only. */
function inMicroseconds(name: string, variant: Variant): Property {
  if (!name.endsWith("Sec") || name.endsWith("USec")) return [name, variant];
  const { value } = variant;
  if (typeof value !== "number" && typeof value !== "bigint") return [name, variant];
  return [`${name.slice(0, -"Sec".length)}USec`, { type: "t", value: BigInt(value) * 1_000_000n }];
}

function parseVariant(text: string): Variant | undefined {
  if (text === "true" || text === "false") return { type: "b", value: text === "true" };
  const string = parseString(text);
  if (string !== undefined) return { type: "s", value: string };
  if (text.startsWith("[") && text.endsWith("]")) return parseStrings(text.slice(1, -1));
  const found = /^(?:([a-z0-9]+)\s+)?(-?[0-9]{1,20})$/.exec(text);
  const kind = found === null ? undefined : NUMBERS[found[1] ?? "int32"];
  if (found === null || kind === undefined) return undefined;
  const [type, min, max] = kind;
  const value = BigInt(found[2] as string);
  if (value < min || value > max) return undefined;
  return { type, value: type === "x" || type === "t" ? value : Number(value) };
}

/** A quoted text without the quote in it; a backslash keeps the character after it. */
function parseString(text: string): string | undefined {
  const found = /^'((?:[^'\\]|\\.)*)'$|^"((?:[^"\\]|\\.)*)"$/.exec(text);
  return found === null ? undefined : (found[1] ?? found[2] ?? "").replace(/\\(.)/g, "$1");
}

function parseStrings(text: string): Variant | undefined {
  const items: Value[] = [];
  for (const item of text.match(/'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^,\s]+/g) ?? []) {
    const string = parseString(item);
    if (string === undefined) return undefined;
    items.push(string);
  }
  return { type: "as", value: items };
}
