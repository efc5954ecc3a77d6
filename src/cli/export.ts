/** `bunker export`: the files of a container or an image as an archive. */
import type { EngineContext } from "../engine/context.ts";
import { readCommandLine } from "./command_line.ts";
import { exportSpec } from "./container_specs.ts";
import { interruptible } from "./interruption.ts";
import { withOutput } from "./output_file.ts";

type Interruptible<T> = (signal: AbortSignal) => Promise<T>;

/** Exports files. @returns the exit code. */
export async function exportContainer(words: readonly string[], context: EngineContext): Promise<number> {
  const parsed = await readCommandLine(exportSpec, words);
  if (parsed === undefined) return 0;
  await withOutput(parsed.text("output"), "export", async (fd, signal) => {
    const { exportFiles } = await import("../engine/export.ts");
    const heard = signal === undefined ? interruptible : <T>(work: Interruptible<T>) => work(signal);
    await exportFiles(parsed.operands[0] ?? "", fd, { ...context, interruptible: heard });
  });
  return 0;
}
