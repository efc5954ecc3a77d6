/** `bunker info`: what this machine allows, what bunker makes of it, and why. */
import type { EngineContext } from "../engine/context.ts";
import type { EngineInfo, InfoEntry } from "../engine/summary.ts";
import { readCommandLine } from "./command_line.ts";
import { harmless, writeJson, writeOut } from "./output.ts";
import { outputFormatOf } from "./output_format.ts";
import { infoSpec } from "./specs.ts";
import type { Value } from "./template/node.ts";

/** Prints the engine's view of this machine. @returns the exit code. */
export async function printInfo(words: readonly string[], context: EngineContext): Promise<number> {
  const parsed = await readCommandLine(infoSpec, words);
  if (parsed === undefined) return 0;
  const format = outputFormatOf(parsed);
  const { info } = await import("../engine/info.ts");
  const known = await info(context);
  if (format === "text") writeOut(describeInfo(known));
  else if (typeof format === "string") writeJson(infoAsObject(known));
  else writeOut((await import("./template_output.ts")).renderObject(format.template, infoAsObject(known)));
  return 0;
}

/** Titles with indented `name: value (reason)` lines below. */
export function describeInfo({ sections }: EngineInfo): string {
  const blocks = sections.map(({ title, entries }) => {
    return [`${title}:`, ...entries.map((entry) => ` ${describeEntry(entry)}`)];
  });
  return blocks
    .flat()
    .map((line) => `${harmless(line)}\n`)
    .join("");
}

function describeEntry({ name, value, reason }: InfoEntry): string {
  const shown = Array.isArray(value) ? value.join(" ") || "none" : String(value);
  return reason === undefined ? `${name}: ${shown}` : `${name}: ${shown} (${reason})`;
}

/** Section, then name, then value; a value with a reason becomes `{value, reason}`. */
export function infoAsObject({ sections }: EngineInfo): Readonly<Record<string, Value>> {
  return Object.fromEntries(
    sections.map(({ title, entries }) => [
      title,
      Object.fromEntries(
        entries.map(({ name, value, reason }) => [name, reason === undefined ? value : { value, reason }]),
      ),
    ]),
  );
}
