/**
 * Out-of-memory kills of a group, counted: `oom_kill` of memory.oom_control (version 1, Linux 4.13) or memory.events
 * (version 2). A counter is looked at instead of an eventfd(2), since that wakes up only for kills that come after it was
 * made, and on version 1 once more when the group is removed.
 */
import { readControlFile } from "./control_file.ts";
import type { CgroupPlace } from "./place.ts";

/** How many processes of the group were killed for want of memory; undefined when the group is gone or does not count. */
export function oomKills({ version, directories }: CgroupPlace): number | undefined {
  const path =
    version === 2 ? `${directories[""]}/memory.events` : `${directories["memory"]}/memory.oom_control`;
  const found = /^oom_kill ([0-9]+)$/m.exec(readControlFile(path) ?? "");
  return found === null ? undefined : Number(found[1]);
}
