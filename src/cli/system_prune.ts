/** `bunker system prune`: asks first, then tells what went and how much space that gave. */
import type { EngineContext } from "../engine/context.ts";
import { readCommandLine } from "./command_line.ts";
import { confirm } from "./confirm.ts";
import { describePruned } from "./image_prune.ts";
import { writeOut } from "./output.ts";
import { systemPruneSpec } from "./system_specs.ts";

const LEFT = "WARNING! This will remove:\n  - what killed commands have left";
const WARNING = `${LEFT}\n  - all dangling images\n`;
const WARNING_ALL = `${LEFT}\n  - all images without at least one container associated to them\n  - all compiled set-ups of containers\n`;

/** Removes what is not needed. @returns the exit code. */
export async function prune(words: readonly string[], context: EngineContext): Promise<number> {
  const parsed = await readCommandLine(systemPruneSpec, words);
  if (parsed === undefined) return 0;
  const all = parsed.flag("all");
  const { parseImageFilters } = await import("../engine/image_filter.ts");
  const filter = parseImageFilters(parsed.list("filter"), ["label", "label!", "until"]);
  if (!parsed.flag("force") && !(await confirm(all ? WARNING_ALL : WARNING))) return 0;
  const { pruneSystem } = await import("../engine/prune_system.ts");
  writeOut(describePruned(await pruneSystem({ all, filter }, context)));
  return 0;
}
