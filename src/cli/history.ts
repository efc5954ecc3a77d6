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
  if (parsed.flag("quiet")) writeOut(rows.map(({ ID }) => `${ID}\n`).join(""));
  else await printList(format, { exact: steps, rows, heads: HEADS, text: () => describeTable(rows) });
  return 0;
}

type HistoryRow = ReturnType<typeof rowOf>;

/** docker's names and texts. */
function rowOf({ imageId, created, createdBy, comment, sizeBytes }: HistoryStep, parsed: ParsedOptions) {
  const whole = parsed.flag("no-trunc");
  const human = parsed.text("human") !== "false";
  return {
    Comment: comment,
    CreatedAt: created === undefined ? "N/A" : formatRfc3339(created),
    CreatedBy: commandLine(createdBy, whole),
    CreatedSince: created === undefined ? "N/A" : formatAge(created, new Date()),
    ID: imageId === undefined ? "<missing>" : shortDigest(imageId, whole),
    Size: human ? formatSize(sizeBytes) : String(sizeBytes),
  };
}

function describeTable(rows: readonly HistoryRow[]): string {
  const header = ["IMAGE", "CREATED", "CREATED BY", "SIZE", "COMMENT"];
  const lines = rows.map(({ ID, CreatedSince, CreatedBy, Size, Comment }) =>
    [ID, CreatedSince, CreatedBy, Size, Comment.replaceAll("\n", " ")].map(harmless),
  );
  return formatTable([header, ...lines]);
}
