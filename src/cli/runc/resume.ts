/** `resume ID`: thaws what pause has frozen. */
import { resumeContainer } from "../../engine/bundle/pause.ts";
import { type Command, idOf, NO_OPTIONS, ONE_CONTAINER } from "./command.ts";

/** The command. */
export const command: Command = {
  name: "resume",
  description: "Let the processes of a paused container go on",
  usage: "ID",
  interspersed: true,
  operands: ONE_CONTAINER,
  options: NO_OPTIONS,
  examples: [{ line: "resume web", does: "Resume it" }],
  async execute(parsed, { context }) {
    await resumeContainer(idOf(parsed), context);
    return 0;
  },
};
