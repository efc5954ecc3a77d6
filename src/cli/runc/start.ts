/** `start ID`: lets the process of a created container go on to the user's command. */
import { startContainer } from "../../engine/bundle/start.ts";
import { type Command, idOf, NO_OPTIONS, ONE_CONTAINER } from "./command.ts";

/** The command. */
export const command: Command = {
  name: "start",
  description: "Start the command of a created container",
  usage: "ID",
  interspersed: true,
  operands: ONE_CONTAINER,
  options: NO_OPTIONS,
  examples: [{ line: "start web", does: "Start it" }],
  async execute(parsed, { context }) {
    await startContainer(idOf(parsed), context);
    return 0;
  },
};
