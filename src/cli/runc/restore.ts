/** `restore [OPTIONS] ID`: makes a container of the files that checkpoint has written, by criu. */
import { type RestoreOptions, restoreContainer } from "../../engine/bundle/restore.ts";
import { CommandLineError } from "../command_line_error.ts";
import { HELP } from "../command_spec.ts";
import type { OptionSpec, ParsedOptions } from "../options.ts";
import { BUNDLE, type Command, DETACH, idOf, ONE_CONTAINER, type Session } from "./command.ts";
import { CRIU_OPTIONS, criuOptionsOf } from "./criu_options.ts";

const OWN_OPTIONS: readonly OptionSpec[] = [
  BUNDLE,
  DETACH,
  { name: "lsm-mount-context", kind: "string", value: "context", help: "SELinux context of mounts" },
  { name: "lsm-profile", kind: "string", value: "type:name", help: "AppArmor profile or SELinux label" },
  { name: "no-subreaper", kind: "boolean", help: "Leave orphans to the caller's reaper" },
  { name: "pid-file", kind: "string", value: "file", help: "File that the process id is written to" },
];

/** Options of runc that need what criu is not given here. */
const REFUSED: readonly OptionSpec[] = [
  { name: "console-socket", kind: "string", help: "a terminal cannot be restored", hidden: true },
  { name: "no-pivot", kind: "boolean", help: "criu enters the root by pivot_root", hidden: true },
];

/** The command. */
export const command: Command = {
  name: "restore",
  description: "Restore a container from the files of checkpoint (needs criu)",
  usage: "[OPTIONS] ID",
  interspersed: true,
  operands: ONE_CONTAINER,
  options: [...CRIU_OPTIONS, HELP, ...OWN_OPTIONS, ...REFUSED],
  examples: [{ line: "restore --detach --image-path /var/tmp/web web", does: "Let it run on" }],
  execute: (parsed, session) =>
    restoreContainer(idOf(parsed), restoreOptionsOf(parsed, session), session.context),
};

function restoreOptionsOf(parsed: ParsedOptions, session: Session): RestoreOptions {
  for (const { name, help } of REFUSED) {
    if (parsed.text(name) !== undefined) throw new CommandLineError(`cannot restore with --${name}: ${help}`);
  }
  const [lsmProfile, lsmMountContext] = [parsed.text("lsm-profile"), parsed.text("lsm-mount-context")];
  const pidFile = parsed.text("pid-file");
  return {
    ...criuOptionsOf(parsed, session),
    bundle: parsed.text("bundle") ?? ".",
    detach: parsed.flag("detach"),
    ...(lsmProfile === undefined ? {} : { lsmProfile }),
    ...(lsmMountContext === undefined ? {} : { lsmMountContext }),
    ...(pidFile === undefined ? {} : { pidFile }),
  };
}
