/** `exec [OPTIONS] ID COMMAND …`: one more process in a running container. */
import { type ExecOptions, execProcess } from "../../engine/bundle/exec.ts";
import { CommandLineError } from "../command_line_error.ts";
import { HELP } from "../command_spec.ts";
import type { OptionSpec, ParsedOptions } from "../options.ts";
import { type Command, DETACH, HANDOVER, idOf } from "./command.ts";
import { additionalGids, capabilities, environment, execUser } from "./exec_values.ts";
import { preservedFds } from "./values.ts";

/** What describes the process; with --process the file does. */
const PROCESS_OPTIONS: readonly OptionSpec[] = [
  { name: "additional-gids", alias: "g", kind: "list", value: "gid", help: "Additional groups" },
  { name: "apparmor", kind: "string", value: "profile", help: "AppArmor profile" },
  { name: "cap", alias: "c", kind: "list", value: "name", help: "Additional capabilities" },
  { name: "cwd", kind: "string", value: "dir", help: "Working directory in the container" },
  { name: "env", alias: "e", kind: "list", value: "key=value", help: "Environment variables" },
  { name: "no-new-privs", kind: "boolean", help: "Let set-user-id programs gain nothing" },
  { name: "process", alias: "p", kind: "string", value: "file", help: "File with the process as JSON" },
  { name: "process-label", kind: "string", value: "label", help: "SELinux label" },
  { name: "tty", alias: "t", kind: "boolean", help: "Allocate a terminal" },
  { name: "user", alias: "u", kind: "string", value: "uid[:gid]", help: "User and group, in numbers" },
];

/** The command. */
export const command: Command = {
  name: "exec",
  description: "Run a command in a running container",
  usage: "[OPTIONS] ID [--] COMMAND [ARG...]  |  exec --process FILE [OPTIONS] ID",
  interspersed: false,
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  options: [
    { name: "cgroup", kind: "list", value: "[controller:]path", help: "Control group below the container's" },
    DETACH,
    ...HANDOVER,
    HELP,
    { name: "ignore-paused", kind: "boolean", help: "Go into a paused container too; it runs once resumed" },
    ...PROCESS_OPTIONS,
  ],
  examples: [
    { line: "exec -t web sh", does: "Work in a shell" },
    { line: "exec --process process.json --detach --pid-file p.pid web", does: "As engines do it" },
  ],
  execute: (parsed, { context }) => execProcess(idOf(parsed), execOptionsOf(parsed), context),
};

/** The engine's options. @throws {CommandLineError} without a command, or for an impossible value. */
function execOptionsOf(parsed: ParsedOptions): ExecOptions {
  const [, ...words] = parsed.operands;
  const args = words[0] === "--" ? words.slice(1) : words;
  const processFile = parsed.text("process");
  if (processFile === undefined && args.length === 0) {
    throw new CommandLineError("process args cannot be empty", {
      hint: "Give a command after the container, or --process FILE",
    });
  }
  const user = parsed.text("user");
  return {
    args: processFile === undefined ? args : [],
    ...(processFile === undefined ? {} : { processFile }),
    ...textsOf(parsed),
    ...(user === undefined ? {} : { user: execUser(user) }),
    ...(parsed.flag("no-new-privs") ? { noNewPrivs: true } : {}),
    env: environment(parsed.list("env")),
    additionalGids: additionalGids(parsed.list("additional-gids")),
    caps: capabilities(parsed.list("cap")),
    cgroup: parsed.list("cgroup"),
    tty: parsed.flag("tty"),
    detach: parsed.flag("detach"),
    ignorePaused: parsed.flag("ignore-paused"),
    preserveFds: preservedFds(parsed),
  };
}

/** Options that are handed on as they are, by the engine's names. */
const TEXTS = {
  cwd: "cwd",
  pidFile: "pid-file",
  consoleSocket: "console-socket",
  pidfdSocket: "pidfd-socket",
  processLabel: "process-label",
  apparmor: "apparmor",
} as const;

function textsOf(parsed: ParsedOptions): { readonly [name in keyof typeof TEXTS]?: string } {
  const texts: { -readonly [name in keyof typeof TEXTS]?: string } = {};
  for (const [name, option] of Object.entries(TEXTS) as [keyof typeof TEXTS, string][]) {
    const text = parsed.text(option);
    if (text !== undefined) texts[name] = text;
  }
  return texts;
}
