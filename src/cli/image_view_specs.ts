/** What the commands about the files and layers of images tell about themselves. */
import { type CommandSpec, HELP } from "./command_spec.ts";
import type { OptionSpec } from "./options.ts";
import { FORMAT, JSON_OUTPUT } from "./output_format.ts";
import { imagesSpec } from "./specs.ts";

const LONG: OptionSpec = {
  name: "long",
  alias: "l",
  kind: "boolean",
  help: "With an image's files: modes, owners, sizes and times",
};
const RECURSIVE: OptionSpec = {
  name: "recursive",
  alias: "R",
  kind: "boolean",
  help: "With an image's files: everything below PATH too",
};

/** `bunker image ls [OPTIONS] [REPOSITORY[:TAG]]`, and with a path `bunker image ls [OPTIONS] IMAGE PATH`. */
export const imageLsSpec: CommandSpec = {
  ...imagesSpec,
  name: "image ls",
  description: "List local images, or the files at a path of one",
  usage: "[OPTIONS] [REPOSITORY[:TAG]] | [-lR] IMAGE PATH",
  operands: { min: 0, max: 2 },
  options: [...imagesSpec.options, LONG, RECURSIVE].sort((one, other) => (one.name < other.name ? -1 : 1)),
  examples: [
    { line: "bunker image ls", does: "List all images" },
    { line: "bunker image ls -l alpine /etc", does: "List a directory of an image" },
    { line: "bunker image ls -R --json alpine /", does: "List every file, with its layer" },
  ],
};

/** The same, of an image's files alone. */
export const imageFilesSpec: CommandSpec = {
  ...imageLsSpec,
  operands: { min: 2, max: 2 },
  options: [FORMAT, HELP, JSON_OUTPUT, LONG, RECURSIVE],
};

/** `bunker image which [OPTIONS] IMAGE PATH`. */
export const imageWhichSpec: CommandSpec = {
  name: "image which",
  description: "Show which layer brought a file, and what the layers below had",
  usage: "[OPTIONS] IMAGE PATH",
  interspersed: true,
  operands: { min: 2, max: 2 },
  options: [
    FORMAT,
    HELP,
    JSON_OUTPUT,
    { name: "no-trunc", kind: "boolean", help: "Do not shorten digests and commands" },
  ],
  examples: [
    { line: "bunker image which alpine /etc/os-release", does: "Show where a file comes from" },
    { line: "bunker image which --json alpine /etc", does: "Show all layers of a directory" },
  ],
};

/** `bunker image tree [OPTIONS] [IMAGE]`. */
export const imageTreeSpec: CommandSpec = {
  name: "image tree",
  description: "Show how local images grow from shared layers",
  usage: "[OPTIONS] [IMAGE]",
  interspersed: true,
  operands: { min: 0, max: 1 },
  options: [
    HELP,
    JSON_OUTPUT,
    { name: "no-trunc", kind: "boolean", help: "Do not shorten digests and commands" },
  ],
  examples: [
    { line: "bunker image tree", does: "Show what is shared by which images, and the size of each layer" },
    { line: "bunker image tree alpine", does: "Show the layers of one image, with their steps" },
  ],
};

/** `bunker image mount [OPTIONS] [IMAGE [DIRECTORY]]`. */
export const imageMountSpec: CommandSpec = {
  name: "image mount",
  description: "Mount an image read-only, or list what is mounted",
  usage: "[OPTIONS] [IMAGE [DIRECTORY]]",
  interspersed: true,
  operands: { min: 0, max: 2 },
  options: [FORMAT, HELP, JSON_OUTPUT],
  examples: [
    { line: "bunker image mount alpine", does: "Mount an image, and print where" },
    { line: "bunker image mount alpine /mnt", does: "Mount it at a directory" },
    { line: "bunker image mount", does: "List the images that are mounted" },
  ],
};

/** `bunker image unmount [OPTIONS] [IMAGE|DIRECTORY...]`. */
export const imageUnmountSpec: CommandSpec = {
  name: "image unmount",
  description: "Unmount images",
  usage: "[OPTIONS] [IMAGE|DIRECTORY...]",
  interspersed: true,
  operands: { min: 0, max: Number.POSITIVE_INFINITY },
  options: [{ name: "all", alias: "a", kind: "boolean", help: "Unmount all images" }, HELP],
  examples: [
    { line: "bunker image unmount alpine", does: "Unmount an image wherever it is mounted" },
    { line: "bunker image unmount /mnt", does: "Unmount what is mounted at a directory" },
  ],
};
