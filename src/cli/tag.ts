/** `bunker tag`: silent when it succeeds, as docker's. */
import type { EngineContext } from "../engine/context.ts";
import { readCommandLine } from "./command_line.ts";
import { tagSpec } from "./image_specs.ts";

/** Gives an image another name. @returns the exit code. */
export async function tag(words: readonly string[], context: EngineContext): Promise<number> {
  const parsed = await readCommandLine(tagSpec, words);
  if (parsed === undefined) return 0;
  const [source = "", target = ""] = parsed.operands;
  const { tagImage } = await import("../engine/tag.ts");
  await tagImage(source, target, context);
  return 0;
}
