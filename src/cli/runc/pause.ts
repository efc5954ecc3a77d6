/** `pause ID`: freezes every process of a container. */
import { pauseContainer } from "../../engine/bundle/pause.ts";
import { type Command, idOf, NO_OPTIONS, ONE_CONTAINER } from "./command.ts";

/** The command. */
export const command: Command = {
  name: "pause",
  description: "Freeze every process of a container",
  usage: "ID",
  interspersed: true,
  operands: ONE_CONTAINER,
  options: NO_OPTIONS,
  examples: [{ line: "pause web", does: "Pause it" }],
  async execute(parsed, { context }) {
    await pauseContainer(idOf(parsed), context);
    return 0;
  },
};
