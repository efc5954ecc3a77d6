/** `bunker image prune`: asks first, then tells what went and how much space that gave. */
import type { EngineContext } from "../engine/context.ts";
import type { RemovedImages } from "../engine/remove_image.ts";
import { readCommandLine } from "./command_line.ts";
import { confirm } from "./confirm.ts";
import { formatSize } from "./format.ts";
import { imagePruneSpec } from "./image_specs.ts";
import { harmless, writeOut } from "./output.ts";

const WARNING_ALL = "WARNING! This will remove all images without at least one container associated to them.";
const WARNING = "WARNING! This will remove all dangling images.";

/** Removes what is not needed. @returns the exit code. */
export async function prune(words: readonly string[], context: EngineContext): Promise<number> {
  const parsed = await readCommandLine(imagePruneSpec, words);
  if (parsed === undefined) return 0;
  const all = parsed.flag("all");
  const { parseImageFilters } = await import("../engine/image_filter.ts");
  const filter = parseImageFilters(parsed.list("filter"), ["label", "label!", "until"]);
  if (!parsed.flag("force") && !(await confirm(all ? WARNING_ALL : WARNING))) return 0;
  const { pruneImages } = await import("../engine/prune_images.ts");
  writeOut(describePruned(await pruneImages({ all, filter }, context)));
  return 0;
}

/** docker's lines. */
export function describePruned({ untagged, deleted, reclaimedBytes }: RemovedImages): string {
  const lines = [...untagged.map((name) => `untagged: ${name}`), ...deleted.map((id) => `deleted: ${id}`)];
  const list = lines.length === 0 ? "" : `Deleted Images:\n${lines.join("\n")}\n\n`;
  return `${harmless(list)}Total reclaimed space: ${formatSize(reclaimedBytes)}\n`;
}
