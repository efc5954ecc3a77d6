/** Options that stand before the command. */
import { HELP } from "./command_spec.ts";
import type { OptionSpec } from "./options.ts";

/** In the order of `bunker --help`. */
export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  { name: "config", kind: "string", value: "file", help: "Configuration file (BUNKER_CONFIG)" },
  {
    name: "debug",
    alias: "D",
    kind: "boolean",
    help: "Tell about silent decisions, and show stacks of errors",
  },
  HELP,
  { name: "root", kind: "string", value: "dir", help: "Directory of all data (BUNKER_ROOT)" },
  { name: "state", kind: "string", value: "dir", help: "Directory of all volatile state (BUNKER_STATE)" },
  { name: "version", alias: "v", kind: "boolean", help: "Print the version" },
];
