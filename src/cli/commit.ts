/** `bunker commit`: an image of a container; prints its id. */
import type { EngineContext } from "../engine/context.ts";
import { readCommandLine } from "./command_line.ts";
import { commitSpec } from "./container_specs.ts";
import { interruptible } from "./interruption.ts";
import type { ParsedOptions } from "./options.ts";
import { writeOut } from "./output.ts";
import { sourceDateEpoch } from "./source_date_epoch.ts";

/** Commits a container. @returns the exit code. */
export async function commit(words: readonly string[], context: EngineContext): Promise<number> {
  const parsed = await readCommandLine(commitSpec, words);
  if (parsed === undefined) return 0;
  const [container = "", reference] = parsed.operands;
  const { commitContainer } = await import("../engine/commit.ts");
  const request = {
    reference,
    author: parsed.text("author"),
    message: parsed.text("message"),
    changes: parsed.list("change"),
    pause: pauseOf(parsed),
    createdAt: sourceDateEpoch(),
  };
  const id = await commitContainer(container, request, { ...context, interruptible });
  writeOut(`${id}\n`);
  return 0;
}

/** `--no-pause` is docker's newer way to write `--pause=false`. */
function pauseOf(parsed: ParsedOptions): boolean | undefined {
  if (parsed.flag("no-pause")) return false;
  const text = parsed.text("pause");
  return text === undefined ? undefined : text === "true";
}
