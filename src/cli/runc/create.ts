/** `create [OPTIONS] ID`: makes a container whose process waits for start. */
import { createContainer } from "../../engine/bundle/create.ts";
import { type Command, idOf, ONE_CONTAINER } from "./command.ts";
import { CREATE_OPTIONS, createOptionsOf, explain } from "./create_options.ts";

/** The command. */
export const command: Command = {
  name: "create",
  description: "Create a container from a bundle; its process waits for start",
  usage: "[OPTIONS] ID",
  interspersed: true,
  operands: ONE_CONTAINER,
  options: CREATE_OPTIONS,
  examples: [
    { line: "create --bundle /srv/web --pid-file /run/web.pid web", does: "Create and write the pid" },
  ],
  async execute(parsed, { context }) {
    if (parsed.flag("explain")) return explain(parsed, { waits: true, context });
    await createContainer(idOf(parsed), createOptionsOf(parsed), context);
    return 0;
  },
};
