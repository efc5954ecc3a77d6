/** `bunker diff`: docker's lines, or JSON. */
import type { EngineContext } from "../engine/context.ts";
import { readCommandLine } from "./command_line.ts";
import { diffSpec } from "./container_specs.ts";
import { harmless, writeJson, writeOut } from "./output.ts";

/** Prints the changes of a container. @returns the exit code. */
export async function printChanges(words: readonly string[], context: EngineContext): Promise<number> {
  const parsed = await readCommandLine(diffSpec, words);
  if (parsed === undefined) return 0;
  const { containerChanges } = await import("../engine/diff.ts");
  const changes = await containerChanges(parsed.operands[0] ?? "", context);
  const shown = changes.map(({ kind, path }) => ({ kind, path: Buffer.from(path, "latin1").toString() }));
  if (!parsed.flag("json")) {
    // A line feed in a name would look like another path.
    const lines = shown.map(({ kind, path }) => `${kind} ${harmless(path).replaceAll("\n", "\\n")}\n`);
    writeOut(lines.join(""));
  } else {
    writeJson(shown);
  }
  return 0;
}
