/** What a command tells about itself: its place in the tree, its options, its help. */
import type { EngineContext } from "../engine/context.ts";
import type { OptionSpec } from "./options.ts";

/** One line of the examples in `--help`. */
export interface Example {
  /** Command line as the user types it. */
  readonly line: string;
  /** What it does, in a few words. */
  readonly does: string;
}

/** A command's name, usage, options and examples. */
export interface CommandSpec {
  readonly name: string;
  /** One sentence without a period. */
  readonly description: string;
  /** What follows the command's name in the usage line, e.g. `[OPTIONS] IMAGE`. */
  readonly usage: string;
  readonly options: readonly OptionSpec[];
  /** Whether options may follow an operand. */
  readonly interspersed: boolean;
  /** Least and greatest number of operands. */
  readonly operands: { readonly min: number; readonly max: number };
  readonly examples: readonly Example[];
}

/** Runs one command: its words after the name, and where the engine keeps its data. @returns the exit code */
export type Execute = (words: readonly string[], context: EngineContext) => Promise<number> | number;

/** `--help` alone, for the command whose `-h` means something else. */
export const HELP_LONG: OptionSpec = { name: "help", kind: "boolean", help: "Print usage" };

/** `-h` and `--help`. */
export const HELP: OptionSpec = { ...HELP_LONG, alias: "h" };
