/** The commands by name; each is loaded by the run that needs it. */
import type { Command } from "./command.ts";

/** Where a command's code is. */
type Load = () => Promise<{ readonly command: Command }>;

/** In the order of `--help`. */
const COMMANDS: Readonly<Record<string, Load>> = {
  create: () => import("./create.ts"),
  start: () => import("./start.ts"),
  run: () => import("./run.ts"),
  exec: () => import("./exec.ts"),
  state: () => import("./state.ts"),
  kill: () => import("./kill.ts"),
  delete: () => import("./delete.ts"),
  list: () => import("./list.ts"),
  ps: () => import("./ps.ts"),
  pause: () => import("./pause.ts"),
  resume: () => import("./resume.ts"),
  update: () => import("./update.ts"),
  events: () => import("./events.ts"),
  checkpoint: () => import("./checkpoint.ts"),
  restore: () => import("./restore.ts"),
  spec: () => import("./spec.ts"),
  check: () => import("./check.ts"),
  features: () => import("./features.ts"),
};

/** The names of all commands, in the order of `--help`. */
export const commandNames = (): readonly string[] => Object.keys(COMMANDS);

/** The command called `name`; undefined when there is none. */
export async function findCommand(name: string): Promise<Command | undefined> {
  return Object.hasOwn(COMMANDS, name) ? (await COMMANDS[name]?.())?.command : undefined;
}
