/** Values as Go prints them: `[a b]`, `map[k:v]`, `<nil>`, and `<no value>` for what is not there. */
import type { Value } from "./node.ts";

/** The text of a value. */
export function showValue(value: Value): string {
  if (value === undefined) return "<no value>";
  if (value === null) return "<nil>";
  if (Array.isArray(value)) return `[${value.map(showInside).join(" ")}]`;
  if (typeof value !== "object") return String(value);
  const object = value as { readonly [key: string]: Value };
  const pairs = Object.keys(object)
    .sort()
    .map((key) => `${key}:${showInside(object[key])}`);
  return `map[${pairs.join(" ")}]`;
}

/** Sets, of ports and volumes, are maps of empty structures. */
function showInside(value: Value): string {
  if (value === undefined) return "<nil>";
  const isEmpty = typeof value === "object" && value !== null && Object.keys(value).length === 0;
  return isEmpty && !Array.isArray(value) ? "{}" : showValue(value);
}
