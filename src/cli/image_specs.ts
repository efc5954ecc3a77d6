/** What the commands about local images tell about themselves. */
import { type CommandSpec, HELP } from "./command_spec.ts";
import type { OptionSpec } from "./options.ts";
import { FORMAT, JSON_OUTPUT } from "./output_format.ts";

/** `--filter`, where `-f` means something else. */
export const FILTER_LONG: OptionSpec = {
  name: "filter",
  kind: "list",
  value: "filter",
  help: "Only images for which this holds, e.g. label=KEY, until=24h",
};

/** `--filter`, for lists of images. */
export const FILTER: OptionSpec = { ...FILTER_LONG, alias: "f" };

/** `bunker tag SOURCE TARGET`. */
export const tagSpec: CommandSpec = {
  name: "tag",
  description: "Give a local image another name",
  usage: "SOURCE[:TAG] TARGET[:TAG]",
  interspersed: true,
  operands: { min: 2, max: 2 },
  options: [HELP],
  examples: [
    { line: "bunker tag alpine localhost:5000/base:1", does: "Name an image for a registry of your own" },
    { line: "bunker tag 28f6e2705743 tools", does: "Name an image by its id" },
  ],
};

/** `bunker rmi [OPTIONS] IMAGE [IMAGE...]`. */
export const rmiSpec: CommandSpec = {
  name: "rmi",
  description: "Remove local images",
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  interspersed: true,
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  options: [
    {
      name: "force",
      alias: "f",
      kind: "boolean",
      help: "Remove an id with all its names, and do not fail for images that are not here",
    },
    HELP,
  ],
  examples: [
    { line: "bunker rmi alpine", does: "Remove a name, and the image if that was its last one" },
    { line: "bunker rmi -f 28f6e2705743", does: "Remove an image with all its names" },
  ],
};

/** `bunker inspect [OPTIONS] IMAGE [IMAGE...]`. */
export const inspectSpec: CommandSpec = {
  name: "inspect",
  description: "Show all that is known about local images",
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  interspersed: true,
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  options: [
    {
      name: "format",
      alias: "f",
      kind: "string",
      value: "string",
      help: 'A template, e.g. "{{.Id}}", or "json" for one line',
    },
    HELP,
    { name: "type", kind: "string", value: "string", help: 'Kind of object: "image"' },
  ],
  examples: [
    { line: "bunker inspect alpine", does: "Show an image as docker does" },
    { line: 'bunker inspect -f "{{json .Config.Env}}" alpine', does: "Show its environment" },
    {
      line: "bunker inspect -f '{{range .RootFS.Layers}}{{println .}}{{end}}' alpine",
      does: "List its layers",
    },
  ],
};

/** `bunker history [OPTIONS] IMAGE`. */
export const historySpec: CommandSpec = {
  name: "history",
  description: "Show the steps that made a local image",
  usage: "[OPTIONS] IMAGE",
  interspersed: true,
  operands: { min: 1, max: 1 },
  options: [
    FORMAT,
    HELP,
    {
      name: "human",
      alias: "H",
      kind: "boolean",
      help: "Print sizes with units, and ages; --human=false for bytes and times",
    },
    JSON_OUTPUT,
    { name: "no-trunc", kind: "boolean", help: "Do not shorten IDs and commands" },
    { name: "quiet", alias: "q", kind: "boolean", help: "Print image IDs only" },
  ],
  examples: [
    { line: "bunker history alpine", does: "Show the steps, newest first" },
    {
      line: 'bunker history --format "{{.Size}}: {{.CreatedBy}}" --no-trunc alpine',
      does: "Show whole commands",
    },
  ],
};

/** `bunker save [OPTIONS] IMAGE [IMAGE...]`. */
export const saveSpec: CommandSpec = {
  name: "save",
  description: "Write local images to an archive",
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  interspersed: true,
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  options: [
    HELP,
    {
      name: "output",
      alias: "o",
      kind: "string",
      value: "string",
      help: "Write to a file, instead of stdout",
    },
    { name: "platform", kind: "string", value: "string", help: "Save only the image for os/arch[/variant]" },
  ],
  examples: [
    { line: "bunker save -o alpine.tar alpine", does: "Write an image to a file" },
    { line: "bunker save alpine busybox | zstd > images.tar.zst", does: "Write two, compressed" },
  ],
};

/** `bunker load [OPTIONS]`. */
export const loadSpec: CommandSpec = {
  name: "load",
  description: "Load images from an archive",
  usage: "[OPTIONS]",
  interspersed: true,
  operands: { min: 0, max: 0 },
  options: [
    HELP,
    {
      name: "input",
      alias: "i",
      kind: "string",
      value: "string",
      help: "Read from a file, instead of stdin",
    },
    { name: "platform", kind: "string", value: "string", help: "Load only images for os/arch[/variant]" },
    { name: "quiet", alias: "q", kind: "boolean", help: "For scripts: there is no progress to suppress" },
  ],
  examples: [
    { line: "bunker load -i alpine.tar", does: "Load what docker, podman, skopeo or bunker saved" },
    { line: "bunker load < images.tar.zst", does: "Load from a compressed archive" },
  ],
};

/** `bunker image prune [OPTIONS]`. */
export const imagePruneSpec: CommandSpec = {
  name: "image prune",
  description: "Remove images that lost their tag, and unused images",
  usage: "[OPTIONS]",
  interspersed: true,
  operands: { min: 0, max: 0 },
  options: [
    { name: "all", alias: "a", kind: "boolean", help: "Also all images that no container runs" },
    FILTER_LONG,
    { name: "force", alias: "f", kind: "boolean", help: "Do not ask" },
    HELP,
  ],
  examples: [
    { line: "bunker image prune", does: "Remove what pulls of newer images have left" },
    { line: "bunker image prune -af", does: "Remove all images that no container runs" },
  ],
};

/** `bunker image COMMAND`. */
export const imageSpec: CommandSpec = {
  name: "image",
  description: "Manage local images",
  usage: "COMMAND",
  interspersed: false,
  operands: { min: 0, max: Number.POSITIVE_INFINITY },
  options: [HELP],
  examples: [
    { line: "bunker image --help", does: "List the commands" },
    { line: "bunker image prune", does: "Remove images that lost their tag" },
  ],
};
