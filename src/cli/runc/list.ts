/** `list [OPTIONS]`: all containers below the root. */
import { listContainers } from "../../engine/bundle/list.ts";
import type { ContainerState } from "../../engine/bundle/state.ts";
import { writeText } from "../../engine/bundle/stream.ts";
import { HELP } from "../command_spec.ts";
import { type Command, TABLE_OR_JSON, wantsJson } from "./command.ts";

const STDOUT = 1;

/** Narrowest column of runc's tables. */
const COLUMN_WIDTH_MIN = 12;

/** The command. */
export const command: Command = {
  name: "list",
  description: "List the containers below --root",
  usage: "[OPTIONS]",
  interspersed: true,
  operands: { min: 0, max: 0 },
  options: [TABLE_OR_JSON, HELP, { name: "quiet", alias: "q", kind: "boolean", help: "Print ids only" }],
  examples: [
    { line: "list", does: "Print a table" },
    { line: "list --format json", does: "Print the states as a JSON array" },
  ],
  async execute(parsed, { context }) {
    const asJson = wantsJson(parsed);
    const containers = await listContainers(context);
    if (parsed.flag("quiet")) writeText(STDOUT, containers.map(({ id }) => `${id}\n`).join(""));
    else if (asJson) writeText(STDOUT, `${JSON.stringify(containers)}\n`);
    else writeText(STDOUT, await tableOf(containers));
    return 0;
  },
};

async function tableOf(containers: readonly ContainerState[]): Promise<string> {
  const [{ formatTable }, { harmless }] = await Promise.all([import("../format.ts"), import("../output.ts")]);
  const rows = containers.map(({ id, pid, status, bundle, created, owner }) =>
    [id, String(pid), status, bundle, created, owner].map(harmless),
  );
  return formatTable([["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"], ...rows], COLUMN_WIDTH_MIN);
}
