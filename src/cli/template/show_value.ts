/** Values as Go prints them: `[a b]`, `map[k:v]`, `<no value>`. */
import type { Value } from "./node.ts";

/** The text of a value. */
export function showValue(value: Value): string {
  if (value === undefined || value === null) return "<no value>";
  if (Array.isArray(value)) return `[${value.map(showInside).join(" ")}]`;
  if (typeof value !== "object") return String(value);
  const object = value as { readonly [key: string]: Value };
  const pairs = Object.keys(object)
    .sort()
    .map((key) => `${key}:${showInside(object[key])}`);
  return `map[${pairs.join(" ")}]`;
}

const showInside = (value: Value): string =>
  value === undefined || value === null ? "<nil>" : showValue(value);
