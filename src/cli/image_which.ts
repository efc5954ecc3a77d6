/** `bunker image which`: a row for each layer that has something to say of a file, the topmost first. */
import type { EngineContext } from "../engine/context.ts";
import type { FileTrace } from "../engine/trace_file.ts";
import { readCommandLine } from "./command_line.ts";
import { bytesOfText, describeMode, textOfBytes } from "./file_text.ts";
import { formatSize, formatTable } from "./format.ts";
import { imageWhichSpec } from "./image_view_specs.ts";
import { commandLine, shortDigest } from "./layer_text.ts";
import { harmless } from "./output.ts";
import { outputFormatOf } from "./output_format.ts";
import { printList } from "./print_list.ts";
import { shellQuote } from "./shell_quote.ts";

/** Exit code when the image has no such file, whatever its lower layers had. */
const EXIT_GONE = 1;

/** Prints where a file comes from. @returns the exit code. */
export async function which(words: readonly string[], context: EngineContext): Promise<number> {
  const parsed = await readCommandLine(imageWhichSpec, words);
  if (parsed === undefined) return 0;
  const format = outputFormatOf(parsed);
  const whole = parsed.flag("no-trunc");
  const [image = "", path = ""] = parsed.operands;
  const { traceImageFile } = await import("../engine/image_view.ts");
  const traces = await traceImageFile(image, bytesOfText(path), context);
  const rows = traces.map((trace) => rowOf(trace, whole));
  const text = (): string => describe(traces, rows);
  await printList(format, { exact: traces.map(jsonOf), rows, heads: HEADS, text });
  return traces[0]?.state === "shown" ? 0 : EXIT_GONE;
}

const HEADS = { CreatedBy: "CREATED BY" };

const jsonOf = ({ path, removedPath, ...trace }: FileTrace): object => ({
  path: `/${textOfBytes(path).text}`,
  ...(removedPath === undefined ? {} : { removedPath: `/${textOfBytes(removedPath).text}` }),
  ...trace,
});

function rowOf(trace: FileTrace, whole: boolean) {
  const { type, mode, uid, gid, size, removedPath, layer, layers, diffId } = trace;
  const isFile = type !== undefined && mode !== undefined;
  return {
    CreatedBy: commandLine(trace.createdBy, whole),
    Digest: shortDigest(diffId, whole),
    File: isFile
      ? `${describeMode({ type, mode })} ${uid}:${gid}`
      : `/${textOfBytes(removedPath ?? "").text}`,
    Layer: `${layer}/${layers}`,
    Size: type === "file" ? formatSize(size ?? 0) : "",
    State: trace.state,
  };
}

function describe(traces: readonly FileTrace[], rows: ReadonlyArray<ReturnType<typeof rowOf>>): string {
  const lines = rows.map((row, at) => {
    const removed = traces[at]?.removedPath;
    const file = removed === undefined ? row.File : shellQuote(`/${removed}`);
    return [row.Layer, row.Digest, row.State, file, row.Size, harmless(row.CreatedBy)];
  });
  const table = formatTable([["LAYER", "DIGEST", "STATE", "FILE", "SIZE", "CREATED BY"], ...lines], 0);
  const [first] = traces;
  const path = shellQuote(`/${first?.path ?? ""}`);
  const isGone = first?.state !== "shown";
  return isGone
    ? `${path} is not in the image: layer ${first?.layer} removes it\n${table}`
    : `${path}\n${table}`;
}
