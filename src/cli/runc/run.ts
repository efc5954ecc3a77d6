/** `run [OPTIONS] ID`: create, start, and in the foreground wait and delete. */
import { runBundle } from "../../engine/bundle/run.ts";
import { type Command, DETACH, idOf, ONE_CONTAINER } from "./command.ts";
import { CREATE_OPTIONS, createOptionsOf, explain } from "./create_options.ts";

/** The command. */
export const command: Command = {
  name: "run",
  description: "Create a container, start it, wait for it, and delete it",
  usage: "[OPTIONS] ID",
  interspersed: true,
  operands: ONE_CONTAINER,
  options: [
    ...CREATE_OPTIONS,
    DETACH,
    { name: "keep", kind: "boolean", help: "Do not delete the container when it ends" },
    {
      name: "no-subreaper",
      kind: "boolean",
      help: "Leave orphans to the caller's reaper, which is always done",
    },
  ],
  examples: [
    { line: "run --bundle /srv/web web", does: "Run in the foreground" },
    { line: "run --detach --pid-file /run/web.pid web", does: "Run in the background" },
  ],
  async execute(parsed, { context }) {
    if (parsed.flag("explain")) return explain(parsed, { waits: false, context });
    const options = {
      ...createOptionsOf(parsed),
      detach: parsed.flag("detach"),
      keep: parsed.flag("keep"),
    };
    return runBundle(idOf(parsed), options, context);
  },
};
