/** What the commands about the whole store tell about themselves. */
import { type CommandSpec, HELP } from "./command_spec.ts";
import { FILTER_LONG } from "./image_specs.ts";
import { FORMAT, JSON_OUTPUT } from "./output_format.ts";

/** `bunker system df [OPTIONS]`. */
export const systemDfSpec: CommandSpec = {
  name: "system df",
  description: "Show what takes how much space",
  usage: "[OPTIONS]",
  interspersed: true,
  operands: { min: 0, max: 0 },
  options: [
    FORMAT,
    HELP,
    JSON_OUTPUT,
    { name: "verbose", alias: "v", kind: "boolean", help: "Show each image, layer and container" },
  ],
  examples: [
    { line: "bunker system df", does: "Show sizes, what could be had back, and what the disk has left" },
    { line: "bunker system df -v", does: "Show what each image has of its own, and what it shares" },
  ],
};

/** `bunker system prune [OPTIONS]`. */
export const systemPruneSpec: CommandSpec = {
  name: "system prune",
  description: "Remove what is not needed",
  usage: "[OPTIONS]",
  interspersed: true,
  operands: { min: 0, max: 0 },
  options: [
    {
      name: "all",
      alias: "a",
      kind: "boolean",
      help: "Also all images that no container runs, and compiled set-ups",
    },
    FILTER_LONG,
    { name: "force", alias: "f", kind: "boolean", help: "Do not ask" },
    HELP,
  ],
  examples: [
    { line: "bunker system prune -f", does: "Remove what killed commands and newer images have left" },
  ],
};

/** `bunker system check [OPTIONS]`. */
export const systemCheckSpec: CommandSpec = {
  name: "system check",
  description: "Verify every blob, layer and image of the store",
  usage: "[OPTIONS]",
  interspersed: true,
  operands: { min: 0, max: 0 },
  options: [
    { name: "full", kind: "boolean", help: "Unpack every layer once more, and compare its files" },
    HELP,
    JSON_OUTPUT,
    { name: "repair", kind: "boolean", help: "Unpack damaged layers again, and remove what is broken" },
  ],
  examples: [
    { line: "bunker system check", does: "Read everything, and name what is wrong" },
    { line: "bunker system check --full", does: "Compare each file with the archive that it came from" },
    { line: "bunker system check --full --repair", does: "Mend what can be mended, remove the rest" },
  ],
};

/** `bunker system COMMAND`. */
export const systemSpec: CommandSpec = {
  name: "system",
  description: "Manage the store",
  usage: "COMMAND",
  interspersed: false,
  operands: { min: 0, max: Number.POSITIVE_INFINITY },
  options: [HELP],
  examples: [
    { line: "bunker system df", does: "Show what takes how much space" },
    { line: "bunker system check --repair", does: "Verify the store, and mend it" },
  ],
};
