/** `checkpoint [OPTIONS] ID`: writes the processes of a container to files, by criu. */
import { checkpointContainer } from "../../engine/bundle/checkpoint.ts";
import type { CheckpointOptions } from "../../engine/bundle/criu_arguments.ts";
import { CommandLineError } from "../command_line_error.ts";
import { HELP } from "../command_spec.ts";
import type { OptionSpec, ParsedOptions } from "../options.ts";
import { type Command, idOf, ONE_CONTAINER, type Session } from "./command.ts";
import { CRIU_OPTIONS, criuOptionsOf } from "./criu_options.ts";
import { wholeNumber } from "./values.ts";

const OWN_OPTIONS: readonly OptionSpec[] = [
  { name: "leave-running", kind: "boolean", help: "Let the container run on" },
  { name: "link-remap", kind: "boolean", help: "Link unlinked files back" },
  { name: "page-server", kind: "string", value: "address:port", help: "Send the memory there" },
  { name: "parent-path", kind: "string", value: "dir", help: "Images of an earlier --pre-dump" },
  { name: "pre-dump", kind: "boolean", help: "Write the memory only, and let the container run on" },
  { name: "status-fd", kind: "string", value: "n", help: "Descriptor that gets a NUL once pages are served" },
  { name: "tcp-skip-in-flight", kind: "boolean", help: "Leave out connections that are not established yet" },
];

/** The command. */
export const command: Command = {
  name: "checkpoint",
  description: "Write the processes of a container to files (needs criu)",
  usage: "[OPTIONS] ID",
  interspersed: true,
  operands: ONE_CONTAINER,
  options: [...CRIU_OPTIONS, HELP, ...OWN_OPTIONS],
  examples: [{ line: "checkpoint --image-path /var/tmp/web web", does: "Write and end it" }],
  async execute(parsed, session) {
    await checkpointContainer(idOf(parsed), checkpointOptionsOf(parsed, session), session.context);
    return 0;
  },
};

/** Greatest number of a descriptor (fs.nr_open cannot be above it). */
const DESCRIPTOR_MAX = 2_147_483_584;

function checkpointOptionsOf(parsed: ParsedOptions, session: Session): CheckpointOptions {
  const statusFd = wholeNumber(parsed, "status-fd", { min: 0, max: DESCRIPTOR_MAX });
  const [pageServer, parentPath] = [parsed.text("page-server"), parsed.text("parent-path")];
  if (pageServer !== undefined && !/^.+:\d{1,5}$/.test(pageServer)) {
    throw new CommandLineError("Use --page-server ADDRESS:PORT to specify page server");
  }
  if (parentPath?.startsWith("/") === true) {
    throw new CommandLineError("--parent-path must be relative to --image-path");
  }
  return {
    ...criuOptionsOf(parsed, session),
    leaveRunning: parsed.flag("leave-running"),
    preDump: parsed.flag("pre-dump"),
    tcpSkipInFlight: parsed.flag("tcp-skip-in-flight"),
    linkRemap: parsed.flag("link-remap"),
    ...(statusFd === undefined ? {} : { statusFd }),
    ...(pageServer === undefined ? {} : { pageServer }),
    ...(parentPath === undefined ? {} : { parentPath }),
  };
}
