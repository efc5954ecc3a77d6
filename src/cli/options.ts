/**
 * Parses a command line by a table of options, with the rules of docker's command line (pflag): long options with
 * `=` or a following value, short options that combine (`-it`) or carry their value (`-eFOO=1`), `--` ends the
 * options, repeated options accumulate, and of a repeated single value the last one wins.
 *
 * citty's own parser is not used for arguments: it accepts unknown options, does not know lists, takes `--no-x` for
 * a negation, and reads options after the first operand (tests/unit/cli/citty.test.ts shows each). It also costs
 * 1 ms to load, which `bunker run` of a local image does not pay: this file imports nothing but the errors.
 */
import type { ErrorDetails } from "../errors.ts";
import { CommandLineError } from "./command_line_error.ts";

/** One option of a command. */
export interface OptionSpec {
  /** Long name without the dashes. */
  readonly name: string;
  /** One letter, for `-e`. */
  readonly alias?: string;
  /** Long name of the option that this one is another spelling of. */
  readonly same?: string;
  readonly kind: "boolean" | "string" | "list";
  /** Word for the value in `--help`, as docker has it (`list`, `bytes`). */
  readonly value?: string;
  /** One line for `--help`. */
  readonly help: string;
  readonly hidden?: boolean;
}

/** How the words of a command line are to be read. */
export interface ParseRules {
  readonly options: readonly OptionSpec[];
  /** Whether options may follow an operand; false where the rest belongs to somebody else's command. */
  readonly interspersed: boolean;
  /** Whether a long name may also stand after a single dash, as Go's flag package has it: `-force`. */
  readonly singleDash?: boolean;
}

/** A command line after parsing: options by their long name, and what was not an option. */
export class ParsedOptions {
  readonly #values = new Map<string, string[]>();
  readonly operands: string[] = [];

  add(name: string, value: string): void {
    const values = this.#values.get(name);
    if (values === undefined) this.#values.set(name, [value]);
    else values.push(value);
  }

  /** Long names of the options that were given. */
  names(): readonly string[] {
    return [...this.#values.keys()];
  }

  /** Whether a boolean option is on; the last one counts. */
  flag(name: string): boolean {
    return this.text(name) === "true";
  }

  /** The last value of an option; undefined when it was not given. */
  text(name: string): string | undefined {
    return this.#values.get(name)?.at(-1);
  }

  /** All values of an option in the order given; empty when it was not given. */
  list(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }
}

/** An option that the table does not have. The command may know more about it: a reason, or a near name. */
export class UnknownOptionError extends CommandLineError {
  /** Long name without dashes, or a single letter. */
  readonly option: string;
  /** Whether docker has it: then it is no typing error. */
  readonly isKnown: boolean;

  constructor(option: string, message: string, details: ErrorDetails & { readonly isKnown?: boolean } = {}) {
    super(message, details);
    this.option = option;
    this.isKnown = details.isKnown ?? false;
  }
}

/**
 * Reads `words` by `rules`.
 * @throws {UnknownOptionError} for an option that the table does not have.
 * @throws {CommandLineError} for a missing or impossible value.
 */
export function parseOptions(words: readonly string[], rules: ParseRules): ParsedOptions {
  const parsed = new ParsedOptions();
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? "";
    if (word === "--") {
      parsed.operands.push(...words.slice(index + 1));
      break;
    }
    if (word.length > 1 && word.startsWith("-")) {
      const next = words[index + 1];
      const usedNext = isLong(word, rules)
        ? readLong({ word, next, rules, parsed })
        : readShort({ word, next, rules, parsed });
      if (usedNext) index++;
    } else if (rules.interspersed) {
      parsed.operands.push(word);
    } else {
      parsed.operands.push(...words.slice(index));
      break;
    }
  }
  return parsed;
}

interface Reading {
  readonly word: string;
  readonly next: string | undefined;
  readonly rules: ParseRules;
  readonly parsed: ParsedOptions;
}

function isLong(word: string, { options, singleDash }: ParseRules): boolean {
  if (word.startsWith("--")) return true;
  if (singleDash !== true || word.length === 2) return false;
  const name = /^-([^=]*)/.exec(word)?.[1];
  return options.some((option) => option.name === name);
}

/** Reads `--name`, `--name=value` or `--name value`; true when the next word was its value. */
function readLong({ word, next, rules, parsed }: Reading): boolean {
  const equals = word.indexOf("=");
  const start = word.startsWith("--") ? 2 : 1;
  const name = equals === -1 ? word.slice(start) : word.slice(start, equals);
  if (name === "" || name.startsWith("-")) throw new CommandLineError(`bad flag syntax: ${word}`);
  const spec = rules.options.find((option) => option.name === name);
  if (spec === undefined) throw new UnknownOptionError(name, `unknown flag: --${name}`);
  if (equals !== -1) {
    store(parsed, spec, word.slice(equals + 1));
    return false;
  }
  if (spec.kind === "boolean") {
    store(parsed, spec, "true");
    return false;
  }
  if (next === undefined) throw new CommandLineError(`flag needs an argument: --${name}`);
  store(parsed, spec, next);
  return true;
}

/** Reads `-i`, `-it`, `-eVALUE`, `-e=VALUE` or `-e VALUE`; true when the next word was its value. */
function readShort({ word, next, rules, parsed }: Reading): boolean {
  for (let at = 1; at < word.length; at++) {
    const letter = word.charAt(at);
    const spec = rules.options.find((option) => option.alias === letter);
    if (spec === undefined) {
      throw new UnknownOptionError(letter, `unknown shorthand flag: "${letter}" in ${word}`);
    }
    if (word.charAt(at + 1) === "=" && word.length > at + 2) {
      store(parsed, spec, word.slice(at + 2));
      return false;
    }
    if (spec.kind === "boolean") {
      store(parsed, spec, "true");
      continue;
    }
    if (at + 1 < word.length) {
      store(parsed, spec, word.slice(at + 1));
      return false;
    }
    if (next === undefined) throw new CommandLineError(`flag needs an argument: "${letter}" in ${word}`);
    store(parsed, spec, next);
    return true;
  }
  return false;
}

/** Spellings of strconv.ParseBool, which docker's booleans follow. */
const TRUTHS: ReadonlySet<string> = new Set(["1", "t", "T", "true", "TRUE", "True"]);
const UNTRUTHS: ReadonlySet<string> = new Set(["0", "f", "F", "false", "FALSE", "False"]);

function store(parsed: ParsedOptions, spec: OptionSpec, value: string): void {
  const name = spec.same ?? spec.name;
  if (spec.kind !== "boolean") {
    parsed.add(name, value);
  } else if (TRUTHS.has(value)) {
    parsed.add(name, "true");
  } else if (UNTRUTHS.has(value)) {
    parsed.add(name, "false");
  } else {
    throw new CommandLineError(`invalid argument "${value}" for --${spec.name}: expected true or false`);
  }
}
