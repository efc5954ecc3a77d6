/** `state ID`: what a container is doing, as JSON with runc's members in runc's order. */
import { readState } from "../../engine/bundle/state.ts";
import { writeText } from "../../engine/bundle/stream.ts";
import { type Command, idOf, NO_OPTIONS, ONE_CONTAINER } from "./command.ts";

const STDOUT = 1;

/** The command. */
export const command: Command = {
  name: "state",
  description: "Print the state of a container as JSON",
  usage: "ID",
  interspersed: true,
  operands: ONE_CONTAINER,
  options: NO_OPTIONS,
  examples: [{ line: "state web", does: "Print status, pid and bundle" }],
  async execute(parsed, { context }) {
    const state = await readState(idOf(parsed), context);
    writeText(STDOUT, `${JSON.stringify(state, undefined, 2)}\n`);
    return 0;
  },
};
