/** `bunker history`: the steps of an image as docker's table, by a template, or as exact JSON. */
import type { EngineContext } from "../engine/context.ts";
import type { HistoryStep } from "../engine/history.ts";
import { readCommandLine } from "./command_line.ts";
import { formatAge, formatRfc3339, formatSize, formatTable } from "./format.ts";
import { historySpec } from "./image_specs.ts";
import { commandLine, shortDigest } from "./layer_text.ts";
import type { ParsedOptions } from "./options.ts";
import { harmless, writeOut } from "./output.ts";
import { outputFormatOf } from "./output_format.ts";
import { printList } from "./print_list.ts";

const HEADS = { ID: "IMAGE", CreatedSince: "CREATED", CreatedAt: "CREATED AT", CreatedBy: "CREATED BY" };

/** Prints the steps of an image. @returns the exit code. */
export async function printHistory(words: readonly string[], context: EngineContext): Promise<number> {
  const parsed = await readCommandLine(historySpec, words);
  if (parsed === undefined) return 0;
  const format = outputFormatOf(parsed);
  const { imageHistory } = await import("../engine/history.ts");
  const steps = await imageHistory(parsed.operands[0] ?? "", context);
  const rows = steps.map((step) => rowOf(step, parsed));
  if (format === "text" && parsed.flag("quiet")) writeOut(rows.map(({ ID }) => `${ID}\n`).join(""));
  else await printList(format, { exact: steps, rows, heads: HEADS, text: () => describeTable(rows, parsed) });
  return 0;
}

const isHuman = (parsed: ParsedOptions): boolean => parsed.text("human") !== "false";

type HistoryRow = ReturnType<typeof rowOf>;

/** docker's names and texts. */
function rowOf({ imageId, created, createdBy, comment, sizeBytes }: HistoryStep, parsed: ParsedOptions) {
  const whole = parsed.flag("no-trunc");
  return {
    Comment: comment,
    CreatedAt: created === undefined ? "N/A" : formatRfc3339(created),
    CreatedBy: commandLine(createdBy, whole),
    CreatedSince: created === undefined ? "N/A" : formatAge(created, new Date()),
    ID: imageId === undefined ? "<missing>" : shortDigest(imageId, whole),
    Size: isHuman(parsed) ? formatSize(sizeBytes) : String(sizeBytes),
  };
}

/** Without units the times are exact, too, as docker has it. */
function describeTable(rows: readonly HistoryRow[], parsed: ParsedOptions): string {
  const human = isHuman(parsed);
  const header = ["IMAGE", human ? "CREATED" : "CREATED AT", "CREATED BY", "SIZE", "COMMENT"];
  const lines = rows.map(({ ID, CreatedSince, CreatedAt, CreatedBy, Size, Comment }) =>
    [ID, human ? CreatedSince : CreatedAt, CreatedBy, Size, Comment.replaceAll("\n", " ")].map(harmless),
  );
  return formatTable([header, ...lines]);
}
