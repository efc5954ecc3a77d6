/** What the commands that look at a container, or make an image of its files, tell about themselves. */
import { type CommandSpec, HELP } from "./command_spec.ts";
import type { OptionSpec } from "./options.ts";
import { JSON_OUTPUT } from "./output_format.ts";

const CHANGE: OptionSpec = {
  name: "change",
  alias: "c",
  kind: "list",
  value: "list",
  help: "Apply an instruction of a Dockerfile to the image: CMD, ENV, LABEL, …",
};

/** `bunker export [OPTIONS] CONTAINER|IMAGE`. */
export const exportSpec: CommandSpec = {
  name: "export",
  description: "Write all files of a container or an image to an archive",
  usage: "[OPTIONS] CONTAINER|IMAGE",
  interspersed: true,
  operands: { min: 1, max: 1 },
  options: [
    HELP,
    {
      name: "output",
      alias: "o",
      kind: "string",
      value: "string",
      help: "Write to a file, instead of stdout",
    },
  ],
  examples: [
    { line: "bunker export web -o web.tar", does: "Write the files of a running container to a file" },
    { line: "bunker export alpine | tar tf -", does: "List the files of an image" },
  ],
};

/** `bunker import [OPTIONS] FILE|URL|- [NAME[:TAG]]`. */
export const importSpec: CommandSpec = {
  name: "import",
  description: "Make an image of an archive of files",
  usage: "[OPTIONS] FILE|URL|- [NAME[:TAG]]",
  interspersed: true,
  operands: { min: 1, max: 2 },
  options: [
    CHANGE,
    HELP,
    {
      name: "message",
      alias: "m",
      kind: "string",
      value: "string",
      help: "Comment of the image's only step",
    },
    { name: "platform", kind: "string", value: "string", help: "Platform of the image: os/arch[/variant]" },
  ],
  examples: [
    { line: "bunker import root.tar.zst debian:mine", does: "Make an image of a root file system" },
    { line: "bunker import -c 'USER app' - flat < web.tar", does: "Flatten what export has written" },
  ],
};

/** `bunker diff [OPTIONS] CONTAINER`. */
export const diffSpec: CommandSpec = {
  name: "diff",
  description: "Show what a container has changed of its image's files",
  usage: "[OPTIONS] CONTAINER",
  interspersed: true,
  operands: { min: 1, max: 1 },
  options: [HELP, JSON_OUTPUT],
  examples: [{ line: "bunker diff web", does: "List paths that were added (A), changed (C), deleted (D)" }],
};

/** `bunker commit [OPTIONS] CONTAINER [REPOSITORY[:TAG]]`. */
export const commitSpec: CommandSpec = {
  name: "commit",
  description: "Make an image of what a container has changed",
  usage: "[OPTIONS] CONTAINER [NAME[:TAG]]",
  interspersed: true,
  operands: { min: 1, max: 2 },
  options: [
    { name: "author", alias: "a", kind: "string", value: "string", help: "Author of the image" },
    CHANGE,
    HELP,
    { name: "message", alias: "m", kind: "string", value: "string", help: "Comment of the new step" },
    { name: "no-pause", kind: "boolean", help: "Let the container run while its files are read" },
    {
      name: "pause",
      alias: "p",
      kind: "boolean",
      help: "Fail where the container cannot be paused; it is by default where that can be done",
    },
  ],
  examples: [
    { line: "bunker commit web web:fixed", does: "Make an image of a running container" },
    { line: "bunker commit -c 'USER app' -m 'Add app' web app", does: "Change its configuration, too" },
  ],
};
