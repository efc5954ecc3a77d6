/** What a template consists of, and what is wrong with one that cannot be used. */
import { UsageError } from "../../errors.ts";

/** Anything that JSON can say, and what is missing. */
export type Value =
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly Value[]
  | { readonly [key: string]: Value };

/** A value to be computed. */
export type Expression =
  | { readonly kind: "literal"; readonly value: Value }
  /** Fields of the dot, of the top (`$`), or of another variable or expression. */
  | { readonly kind: "field"; readonly of: Expression; readonly names: readonly string[] }
  | { readonly kind: "dot" }
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "call"; readonly name: string; readonly arguments: readonly Expression[] };

/** A piece of a template. */
export type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "print"; readonly value: Expression }
  | { readonly kind: "assign"; readonly name: string; readonly value: Expression }
  | {
      readonly kind: "if" | "with" | "range";
      readonly value: Expression;
      /** Names that a range gives to key and value, or to the value alone. */
      readonly variables: readonly string[];
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    };

/** A template that cannot be read, or does not fit what it is to show. */
export class TemplateError extends UsageError {
  constructor(state: string, hint = 'Write e.g. "{{.ID}}", "{{json .}}", "{{range .Layers}}{{.}} {{end}}"') {
    super(`Cannot use the template of --format: ${state}`, { hint });
  }
}
