/** The options that checkpoint and restore have, and what they are to the engine. */
import { CGROUP_MODES, type CriuOptions } from "../../engine/bundle/criu_arguments.ts";
import { CommandLineError } from "../command_line_error.ts";
import type { OptionSpec, ParsedOptions } from "../options.ts";
import type { Session } from "./command.ts";

/** Where the images are when nothing is said. */
const IMAGES = "checkpoint";

/** Options of both. */
export const CRIU_OPTIONS: readonly OptionSpec[] = [
  { name: "auto-dedup", kind: "boolean", help: "Punch what was written into earlier images" },
  {
    name: "empty-ns",
    kind: "list",
    value: "namespace",
    help: 'Make a namespace without its content ("network")',
  },
  { name: "ext-unix-sk", kind: "boolean", help: "Allow unix sockets to the outside" },
  { name: "file-locks", kind: "boolean", help: "Keep file locks" },
  { name: "image-path", kind: "string", value: "dir", help: "Directory of the images (default checkpoint)" },
  { name: "lazy-pages", kind: "boolean", help: "Move memory when it is asked for" },
  {
    name: "manage-cgroups-mode",
    kind: "string",
    value: "mode",
    help: 'How to treat control groups ("soft", "full", "strict", "ignore") (default soft)',
  },
  { name: "shell-job", kind: "boolean", help: "Allow jobs of a shell" },
  { name: "tcp-established", kind: "boolean", help: "Keep open TCP connections" },
  { name: "work-path", kind: "string", value: "dir", help: "Directory of the logs (default: the images')" },
];

/** The engine's options. @throws {CommandLineError} for an impossible value. */
export function criuOptionsOf(parsed: ParsedOptions, { globals }: Session): CriuOptions {
  const [criu, workPath] = [globals.text("criu"), parsed.text("work-path")];
  const mode = cgroupsModeOf(parsed);
  return {
    imagePath: parsed.text("image-path") ?? IMAGES,
    tcpEstablished: parsed.flag("tcp-established"),
    extUnixSk: parsed.flag("ext-unix-sk"),
    shellJob: parsed.flag("shell-job"),
    fileLocks: parsed.flag("file-locks"),
    autoDedup: parsed.flag("auto-dedup"),
    lazyPages: parsed.flag("lazy-pages"),
    emptyNs: emptyNamespacesOf(parsed),
    ...(criu === undefined ? {} : { criu }),
    ...(workPath === undefined ? {} : { workPath }),
    ...(mode === undefined ? {} : { manageCgroupsMode: mode }),
  };
}

function cgroupsModeOf(parsed: ParsedOptions): CriuOptions["manageCgroupsMode"] {
  const text = parsed.text("manage-cgroups-mode");
  const mode = CGROUP_MODES.find((one) => one === text);
  if (text === undefined || mode !== undefined) return mode;
  throw new CommandLineError(
    `Invalid manage-cgroups-mode value "${text}": expected soft, full, strict or ignore`,
  );
}

function emptyNamespacesOf(parsed: ParsedOptions): readonly string[] {
  const names = parsed.list("empty-ns");
  const other = names.find((name) => name !== "network");
  if (other === undefined) return names;
  throw new CommandLineError(`namespace "${other}" is not supported with --empty-ns: expected network`);
}
