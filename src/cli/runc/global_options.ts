/** Options before the command, and what they mean to the engine. */
import type { CgroupManager, RuntimeContext } from "../../engine/bundle/context.ts";
import { isMachineRoot } from "../../engine/bundle/privilege.ts";
import { CommandLineError } from "../command_line_error.ts";
import { HELP } from "../command_spec.ts";
import type { OptionSpec, ParsedOptions } from "../options.ts";

/** Those of runc 1.5, and of crun what callers pass. */
export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  {
    name: "cgroup-manager",
    kind: "string",
    value: "manager",
    help: 'Who makes control groups ("cgroupfs", "systemd", "disabled") (default cgroupfs)',
  },
  { name: "criu", kind: "string", value: "path", help: "Absolute path of criu", hidden: true },
  { name: "debug", kind: "boolean", help: "Write debug messages to the log" },
  HELP,
  { name: "log", kind: "string", value: "file", help: "File that messages are appended to (default stderr)" },
  { name: "log-format", kind: "string", value: "format", help: 'Format of the log ("text", "json")' },
  {
    name: "log-level",
    kind: "string",
    value: "level",
    help: 'Least level that is written ("debug", "info", "warning", "error")',
  },
  {
    name: "root",
    kind: "string",
    value: "dir",
    help: "Directory of the containers' state (default /run/bunker/oci)",
  },
  {
    name: "rootless",
    kind: "string",
    value: "true|false|auto",
    help: "Leave out what takes privilege (default auto)",
  },
  { name: "systemd-cgroup", kind: "boolean", help: "Same as --cgroup-manager systemd" },
  { name: "version", alias: "v", kind: "boolean", help: "Print the version" },
];

/**
 * What the engine is to work with.
 * @throws {CommandLineError} for a value that is none of those allowed.
 */
export async function contextOf(globals: ParsedOptions, log: RuntimeContext["log"]): Promise<RuntimeContext> {
  const isOrdinary = !isMachineRoot();
  return {
    root: await rootOf(globals.text("root"), isOrdinary),
    cgroupManager: cgroupManagerOf(globals),
    rootless: truthOf(globals.text("rootless") ?? "auto") ?? isOrdinary,
    log,
  };
}

async function rootOf(given: string | undefined, isOrdinary: boolean): Promise<string> {
  if (given === "") throw new CommandLineError('invalid value "" for --root: expected a directory');
  if (given !== undefined) return given.startsWith("/") ? given : `${process.cwd()}/${given}`;
  if ((process.env["BUNKER_STATE"] ?? "") === "" && process.geteuid?.() === 0) {
    const runtimeDirectory = process.env["XDG_RUNTIME_DIR"] ?? "";
    // Root of a user namespace is an ordinary user outside, unless it says that it is not; so does runc decide.
    const isUser = isOrdinary && runtimeDirectory !== "" && process.env["USER"] !== "root";
    return isUser ? `${runtimeDirectory}/bunker/oci` : "/run/bunker/oci";
  }
  const { stateRoot } = await import("../../engine/directories.ts");
  return `${stateRoot({ debug: false })}/oci`;
}

function cgroupManagerOf(globals: ParsedOptions): CgroupManager {
  const named = globals.text("cgroup-manager");
  if (named === undefined) return globals.flag("systemd-cgroup") ? "systemd" : "cgroupfs";
  if (named === "cgroupfs" || named === "systemd" || named === "disabled") return named;
  throw new CommandLineError(
    `unknown cgroup manager "${named}": expected "cgroupfs", "systemd" or "disabled"`,
  );
}

/** Spellings of strconv.ParseBool, which callers of runc may use. */
const TRUTHS = /^(?:1|t|T|true|TRUE|True)$/;
const UNTRUTHS = /^(?:0|f|F|false|FALSE|False)$/;

/** Undefined for "auto". */
function truthOf(text: string): boolean | undefined {
  if (text === "auto") return undefined;
  if (TRUTHS.test(text)) return true;
  if (UNTRUTHS.test(text)) return false;
  throw new CommandLineError(`invalid value "${text}" for --rootless: expected true, false or auto`);
}
