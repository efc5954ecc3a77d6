/** `ps [OPTIONS] ID [PS OPTIONS]`: the processes of a container, as ids of the host. */
import { processesOf } from "../../engine/bundle/ps.ts";
import { writeText } from "../../engine/bundle/stream.ts";
import { HELP } from "../command_spec.ts";
import { type Command, idOf, TABLE_OR_JSON, wantsJson } from "./command.ts";

const STDOUT = 1;

/** The command. */
export const command: Command = {
  name: "ps",
  description: "Show the processes of a container",
  usage: "[OPTIONS] ID [PS OPTION...]",
  interspersed: false,
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  options: [TABLE_OR_JSON, HELP],
  examples: [
    { line: "ps web", does: "Print what ps -ef has of them" },
    { line: "ps --format json web", does: "Print their ids as a JSON array" },
  ],
  async execute(parsed, { context }) {
    const asJson = wantsJson(parsed);
    const pids = await processesOf(idOf(parsed), context);
    if (asJson) {
      writeText(STDOUT, `${JSON.stringify(pids)}\n`);
    } else {
      const { processTable } = await import("../../engine/bundle/process_table.ts");
      writeText(STDOUT, processTable(pids, parsed.operands.slice(1)));
    }
    return 0;
  },
};
