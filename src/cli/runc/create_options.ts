/** The options that create and run have, and what they are to the engine. */

import type { Explanation } from "../../engine/bundle/explain.ts";
import type { LaunchOptions } from "../../engine/bundle/launch.ts";
import { HELP } from "../command_spec.ts";
import type { OptionSpec, ParsedOptions } from "../options.ts";
import { BUNDLE, CONFIG, HANDOVER, idOf } from "./command.ts";
import { preservedFds } from "./values.ts";

/** Options of create. */
export const CREATE_OPTIONS: readonly OptionSpec[] = [
  BUNDLE,
  { ...CONFIG, alias: "f" },
  {
    name: "explain",
    kind: "boolean",
    help: "Print the system calls that would make the container, and stop",
  },
  HELP,
  ...HANDOVER,
  { name: "no-new-keyring", kind: "boolean", help: "Keep the session keyring of the caller" },
  {
    name: "no-pivot",
    kind: "boolean",
    help: "Enter the root by MS_MOVE and chroot, for a root on a ramdisk",
  },
];

/** The engine's options. @throws {CommandLineError} for an impossible value. */
export function createOptionsOf(parsed: ParsedOptions): LaunchOptions {
  const [consoleSocket, pidfdSocket] = [parsed.text("console-socket"), parsed.text("pidfd-socket")];
  const [pidFile, configFile] = [parsed.text("pid-file"), parsed.text("config")];
  return {
    bundle: parsed.text("bundle") ?? ".",
    noPivot: parsed.flag("no-pivot"),
    noNewKeyring: parsed.flag("no-new-keyring"),
    preserveFds: preservedFds(parsed),
    ...(consoleSocket === undefined ? {} : { consoleSocket }),
    ...(pidfdSocket === undefined ? {} : { pidfdSocket }),
    ...(pidFile === undefined ? {} : { pidFile }),
    ...(configFile === undefined ? {} : { configFile }),
  };
}

/** `--explain`: prints the program of the container, which is loaded by it alone. @returns the exit code. */
export async function explain(parsed: ParsedOptions, explanation: Explanation): Promise<number> {
  const [{ explainBundle }, { writeOut }] = await Promise.all([
    import("../../engine/bundle/explain.ts"),
    import("../output.ts"),
  ]);
  writeOut(await explainBundle(idOf(parsed), createOptionsOf(parsed), explanation));
  return 0;
}
