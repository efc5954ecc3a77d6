/** `bunker system df`: docker's table with the kinds of things that bunker has. */

import type { EngineContext } from "../engine/context.ts";
import type { DiskUsage } from "../engine/disk_usage.ts";
import { readCommandLine } from "./command_line.ts";
import { formatSize, formatTable } from "./format.ts";
import { outputFormatOf } from "./output_format.ts";
import { printList } from "./print_list.ts";
import { systemDfSpec } from "./system_specs.ts";

const HEADS = { TotalCount: "TOTAL" };

/** Prints what takes how much space. @returns the exit code. */
export async function printDiskUsage(words: readonly string[], context: EngineContext): Promise<number> {
  const parsed = await readCommandLine(systemDfSpec, words);
  if (parsed === undefined) return 0;
  if (parsed.flag("verbose")) return await (await import("./system_df_verbose.ts")).print(parsed, context);
  const format = outputFormatOf(parsed);
  const { diskUsage } = await import("../engine/disk_usage.ts");
  const usage = await diskUsage(context);
  const rows = usage.map(rowOf);
  const { dataRoom } = await import("../engine/disk_details.ts");
  const { describeRoom } = await import("./system_df_verbose.ts");
  const text = (): string => `${describeTable(rows)}\n${describeRoom(dataRoom(context))}`;
  await printList(format, { exact: usage, rows, heads: HEADS, text });
  return 0;
}

/** docker's names and texts. */
function rowOf({ type, total, active, sizeBytes, reclaimableBytes }: DiskUsage) {
  const share = sizeBytes === 0 ? "" : ` (${Math.round((reclaimableBytes / sizeBytes) * 100)}%)`;
  return {
    Active: String(active),
    Reclaimable: formatSize(reclaimableBytes) + share,
    Size: formatSize(sizeBytes),
    TotalCount: String(total),
    Type: type,
  };
}

function describeTable(rows: readonly ReturnType<typeof rowOf>[]): string {
  const lines = rows.map((row) => [row.Type, row.TotalCount, row.Active, row.Size, row.Reclaimable]);
  return formatTable([["TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"], ...lines]);
}
