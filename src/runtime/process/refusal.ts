/** What a configuration asks for and cannot be given: an error that names the field and the specification's clause. */
import type { Fault } from "../../oci/bundle/fault.ts";
import { ConfigError } from "../../oci/bundle/fault.ts";

/** A field of config.json: `process.rlimits[0].type` in `config.md#posix-process`. */
export type Field = Pick<Fault, "path" | "section">;

/** Refuses a field. @throws {ConfigError} always. */
export function refuse(field: Field, message: string): never {
  throw new ConfigError([{ ...field, message }]);
}

/** The value that a name stands for. @throws {ConfigError} for a name that `names` lacks. */
export function namedValue(names: Readonly<Record<string, number>>, name: string, field: Field): number {
  const value = Object.hasOwn(names, name) ? names[name] : undefined;
  return value ?? refuse(field, `"${name}" is not one of ${Object.keys(names).join(", ")}`);
}
