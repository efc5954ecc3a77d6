/** `update [OPTIONS] ID`: changes limits of a container, from a file or by options. */
import { checkResources, readResources } from "../../engine/bundle/resources_file.ts";
import { updateContainer, updateContainerRdt } from "../../engine/bundle/update.ts";
import { HELP } from "../command_spec.ts";
import type { ParsedOptions } from "../options.ts";
import { type Command, idOf, ONE_CONTAINER } from "./command.ts";
import { rdtOf, resourcesOf, UPDATE_OPTIONS } from "./update_options.ts";

/** The command. */
export const command: Command = {
  name: "update",
  description: "Change limits of a container",
  usage: "[OPTIONS] ID",
  interspersed: true,
  operands: ONE_CONTAINER,
  options: [...UPDATE_OPTIONS, HELP],
  examples: [
    { line: "update --memory 512m --pids-limit 100 web", does: "Set two limits" },
    { line: "update --resources limits.json web", does: "Set what the file has; - is standard input" },
  ],
  async execute(parsed, { context }) {
    const wanted = resources(parsed);
    const rdt = rdtOf(parsed);
    if (Object.keys(wanted).length > 0) await updateContainer(idOf(parsed), wanted, context);
    if (rdt !== undefined) await updateContainerRdt(idOf(parsed), rdt, context);
    return 0;
  },
};

/** With a file the other options do not count, as with runc. */
function resources(parsed: ParsedOptions): ReturnType<typeof readResources> {
  const file = parsed.text("resources");
  return file === undefined ? checkResources(resourcesOf(parsed)) : readResources(file);
}
