/** `bunker system check`: a line for each fault, what was done about it, and what was looked at; exit code 1 while something is wrong. */
import type { SystemCheck } from "../engine/check_system.ts";
import type { EngineContext } from "../engine/context.ts";
import { readCommandLine } from "./command_line.ts";
import { formatSize } from "./format.ts";
import { harmless, writeJson, writeOut } from "./output.ts";
import { systemCheckSpec } from "./system_specs.ts";

/** Exit code when something is broken and stays so. */
const EXIT_BROKEN = 1;

/** Checks the store. @returns the exit code. */
export async function check(words: readonly string[], context: EngineContext): Promise<number> {
  const parsed = await readCommandLine(systemCheckSpec, words);
  if (parsed === undefined) return 0;
  const [repair, full] = [parsed.flag("repair"), parsed.flag("full")];
  const { checkSystem } = await import("../engine/check_system.ts");
  const checked = await checkSystem({ repair, full }, context);
  if (parsed.flag("json")) writeJson(checked);
  else writeOut(describe(checked));
  const isWhole = repair ? checked.left.length === 0 : checked.faults.length === 0;
  return isWhole ? 0 : EXIT_BROKEN;
}

function describe({ blobs, blobBytes, layers, images, faults, ...done }: SystemCheck): string {
  const found = faults.map(({ path, state }) => `${path}: ${state}`);
  const looked = `Checked ${blobs} blobs (${formatSize(blobBytes)}), ${layers} layers, ${images} images`;
  const count =
    faults.length === 0 ? "no fault" : faults.length === 1 ? "1 fault" : `${faults.length} faults`;
  const lines = [
    ...found,
    ...done.mended.map((path) => `Unpacked again: ${path}`),
    ...done.removed.map((path) => `Removed: ${path}`),
    ...done.left.map((path) => `In use, left as it is: ${path}`),
    `${looked}: ${count}`,
  ];
  return `${harmless(lines.join("\n"))}\n`;
}
