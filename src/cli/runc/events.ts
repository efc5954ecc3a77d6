/** `events [OPTIONS] ID`: what a container uses, as a JSON object a line, at once or again and again. */
import { eventsOf, statsOf } from "../../engine/bundle/events.ts";
import { writeText } from "../../engine/bundle/stream.ts";
import { HELP } from "../command_spec.ts";
import { type Command, idOf, ONE_CONTAINER } from "./command.ts";
import { durationMs } from "./values.ts";

const STDOUT = 1;

/** The command. */
export const command: Command = {
  name: "events",
  description: "Print what a container uses, and when memory ran out, as JSON lines",
  usage: "[OPTIONS] ID",
  interspersed: true,
  operands: ONE_CONTAINER,
  options: [
    HELP,
    { name: "interval", kind: "string", value: "duration", help: "Time between two lines (default 5s)" },
    { name: "stats", kind: "boolean", help: "Print one line, and stop" },
  ],
  examples: [
    { line: "events --stats web", does: "Print what it uses" },
    { line: "events --interval 1s web", does: "Print it every second until it ends" },
  ],
  async execute(parsed, { context }) {
    const id = idOf(parsed);
    const intervalMs = durationMs(parsed, "interval") ?? 5000;
    if (parsed.flag("stats")) {
      print(await statsOf(id, context));
      return 0;
    }
    for await (const event of eventsOf(id, { intervalMs }, context)) print(event);
    return 0;
  },
};

const print = (event: object): void => writeText(STDOUT, `${JSON.stringify(event)}\n`);
