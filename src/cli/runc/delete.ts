/** `delete [OPTIONS] ID`: removes what a container has left: its state, its control group. */
import { deleteContainer } from "../../engine/bundle/delete.ts";
import { HELP } from "../command_spec.ts";
import { type Command, idOf, ONE_CONTAINER } from "./command.ts";

/** The command. */
export const command: Command = {
  name: "delete",
  description: "Remove a container that has ended, or was never started",
  usage: "[OPTIONS] ID",
  interspersed: true,
  operands: ONE_CONTAINER,
  options: [
    { name: "force", alias: "f", kind: "boolean", help: "Kill it first; a missing container is no error" },
    HELP,
  ],
  examples: [
    { line: "delete web", does: "Remove it" },
    { line: "delete --force web", does: "End and remove it, whatever it does" },
  ],
  async execute(parsed, { context }) {
    await deleteContainer(idOf(parsed), { force: parsed.flag("force"), context });
    return 0;
  },
};
