/** `kill [OPTIONS] ID [SIGNAL]`: sends a signal to a container. */
import { killContainer } from "../../engine/bundle/kill.ts";
import { parseSignal } from "../../engine/options/signal.ts";
import { HELP } from "../command_spec.ts";
import { type Command, idOf } from "./command.ts";

/** The command. */
export const command: Command = {
  name: "kill",
  description: "Send a signal to the first process of a container (default TERM)",
  usage: "[OPTIONS] ID [SIGNAL]",
  interspersed: true,
  operands: { min: 1, max: 2 },
  options: [
    { name: "all", alias: "a", kind: "boolean", help: "Send it to every process of the container" },
    HELP,
  ],
  examples: [
    { line: "kill web", does: "Ask it to end" },
    { line: "kill --all web KILL", does: "End every process" },
  ],
  async execute(parsed, { context }) {
    const signal = parseSignal(parsed.operands[1] ?? "TERM");
    await killContainer(idOf(parsed), signal, { all: parsed.flag("all"), context });
    return 0;
  },
};
