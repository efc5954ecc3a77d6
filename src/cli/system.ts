/** `bunker system COMMAND`: about the store as a whole. */
import type { EngineContext } from "../engine/context.ts";
import { type CommandGroup, type GroupMember, runGroup } from "./command_group.ts";
import { infoSpec } from "./specs.ts";
import { systemCheckSpec, systemDfSpec, systemPruneSpec, systemSpec } from "./system_specs.ts";

const members: readonly GroupMember[] = [
  { name: "df", spec: systemDfSpec, load: async () => (await import("./system_df.ts")).printDiskUsage },
  { name: "prune", spec: systemPruneSpec, load: async () => (await import("./system_prune.ts")).prune },
  { name: "check", spec: systemCheckSpec, load: async () => (await import("./system_check.ts")).check },
  { name: "info", spec: infoSpec, load: async () => (await import("./info.ts")).printInfo },
];

/** What stands below `bunker system`. */
export const SYSTEM_GROUP: CommandGroup = { spec: systemSpec, members };

/** Runs the command that `words` begin with. @returns the exit code. */
export function runSystemCommand(words: readonly string[], context: EngineContext): Promise<number> {
  return runGroup(SYSTEM_GROUP, words, context);
}
