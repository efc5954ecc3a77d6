/** What the commands that look at a container, or make an image of its files, tell about themselves. */
import { type CommandSpec, HELP } from "./command_spec.ts";

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
