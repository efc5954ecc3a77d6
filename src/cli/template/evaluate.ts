/** Fills a template with a value. It touches nothing, and ends: its steps and its output are bounded. */
import { FUNCTIONS, isTruth } from "./functions.ts";
import { type Expression, type Node, TemplateError, type Value } from "./node.ts";
import type { Template } from "./parse.ts";
import { showValue } from "./show_value.ts";

/** Most steps, and longest output in characters, of one evaluation: ranges within ranges multiply. */
export const STEPS_MAX = 1_000_000;
const OUTPUT_LENGTH_MAX = 16 << 20;

interface Scope {
  readonly dot: Value;
  readonly variables: ReadonlyMap<string, Value>;
}

/**
 * The text that a template makes of `data`.
 * @throws {TemplateError} for a field that `data` does not have, and beyond the bounds
 */
export function evaluateTemplate(template: Template, data: Value): string {
  const evaluation = new Evaluation(data);
  evaluation.nodes(template, { dot: data, variables: new Map([["$", data]]) });
  return evaluation.output.join("");
}

class Evaluation {
  readonly output: string[] = [];
  readonly #top: Value;
  #length = 0;
  #steps = 0;

  constructor(top: Value) {
    this.#top = top;
  }

  nodes(nodes: readonly Node[], scope: Scope): void {
    const variables = new Map(scope.variables);
    for (const node of nodes) this.#node(node, { dot: scope.dot, variables }, variables);
  }

  #node(node: Node, scope: Scope, own: Map<string, Value>): void {
    this.#step();
    if (node.kind === "text") {
      this.#write(node.text);
    } else if (node.kind === "print") {
      this.#write(showValue(this.#value(node.value, scope)));
    } else if (node.kind === "assign") {
      own.set(node.name, this.#value(node.value, scope));
    } else {
      this.#block(node, scope);
    }
  }

  #block(node: Extract<Node, { readonly variables: unknown }>, scope: Scope): void {
    const value = this.#value(node.value, scope);
    if (node.kind === "range") {
      const items = itemsOf(value);
      for (const [key, item] of items) this.nodes(node.body, named(scope, node.variables, { key, item }));
      if (items.length === 0) this.nodes(node.otherwise, scope);
      return;
    }
    if (!isTruth(value)) this.nodes(node.otherwise, scope);
    else if (node.kind === "with")
      this.nodes(node.body, named(scope, node.variables, { key: "", item: value }));
    else this.nodes(node.body, scope);
  }

  #value(expression: Expression, scope: Scope): Value {
    this.#step();
    switch (expression.kind) {
      case "literal":
        return expression.value;
      case "dot":
        return scope.dot;
      case "variable": {
        const { name } = expression;
        if (!scope.variables.has(name)) throw new TemplateError(`the variable "${name}" is not set`);
        return scope.variables.get(name);
      }
      case "field":
        return this.#fields(this.#value(expression.of, scope), expression.names);
      case "call": {
        const values = expression.arguments.map((argument) => this.#value(argument, scope));
        return FUNCTIONS.get(expression.name)?.(values);
      }
    }
  }

  #fields(of: Value, names: readonly string[]): Value {
    let at = of;
    for (const name of names) {
      const object = typeof at === "object" && at !== null && !Array.isArray(at) ? at : undefined;
      const isKnown = object !== undefined && Object.hasOwn(object, name);
      // A misspelt name is told; below, there are maps with keys of the user's, which may be absent.
      if (!isKnown && at === this.#top) throw unknownField(name, object);
      at = isKnown ? (object as { readonly [key: string]: Value })[name] : undefined;
    }
    return at;
  }

  #step(): void {
    this.#steps += 1;
    if (this.#steps > STEPS_MAX) throw new TemplateError(`it takes more than ${STEPS_MAX} steps`);
  }

  #write(text: string): void {
    this.#length += text.length;
    if (this.#length > OUTPUT_LENGTH_MAX) throw new TemplateError("its output is too long");
    this.output.push(text);
  }
}

function unknownField(name: string, object: object | undefined): TemplateError {
  const fields = Object.keys(object ?? {});
  const hint = fields.length === 0 ? undefined : `Use ${fields.map((field) => `.${field}`).join(" ")}`;
  return new TemplateError(`there is no field "${name}"`, hint);
}

function itemsOf(value: Value): ReadonlyArray<readonly [Value, Value]> {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value)) return value.map((item: Value, at) => [at, item] as const);
  if (typeof value !== "object") throw new TemplateError(`there is no range over ${showValue(value)}`);
  const object = value as { readonly [key: string]: Value };
  return Object.keys(object)
    .sort()
    .map((key) => [key, object[key]] as const);
}

/** The scope of a block: its dot, and its variables. */
function named(
  { variables }: Scope,
  names: readonly string[],
  { key, item }: { readonly key: Value; readonly item: Value },
): Scope {
  const [first, second] = names;
  const all = new Map(variables);
  if (second !== undefined) all.set(second, item);
  if (first !== undefined) all.set(first, second === undefined ? item : key);
  return { dot: item, variables: all };
}
