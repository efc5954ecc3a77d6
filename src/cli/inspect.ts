/** `bunker inspect`: a list of objects as docker prints it, or a line for each by a template. */
import type { EngineContext } from "../engine/context.ts";
import type { ImageInspection } from "../engine/inspect_image.ts";
import { readCommandLine } from "./command_line.ts";
import { CommandLineError } from "./command_line_error.ts";
import { inspectSpec } from "./image_specs.ts";
import { harmlessJson, writeError, writeOut } from "./output.ts";

/** Exit code when one of the images is not here. */
const EXIT_MISSING = 1;

/** Prints what is known about images. @returns the exit code. */
export async function inspect(words: readonly string[], context: EngineContext): Promise<number> {
  const parsed = await readCommandLine(inspectSpec, words);
  if (parsed === undefined) return 0;
  const type = parsed.text("type") ?? "image";
  if (type !== "image") {
    throw new CommandLineError(`invalid argument "${type}" for --type: there is "image" only`);
  }
  const found: ImageInspection[] = [];
  const failures: unknown[] = [];
  const { inspectImage } = await import("../engine/inspect_image.ts");
  for (const name of parsed.operands) {
    await inspectImage(name, context).then(
      (inspection) => found.push(inspection),
      (error: unknown) => failures.push(error),
    );
  }
  writeOut(await describe(found, parsed.text("format") ?? ""));
  const { describeError } = await import("./report.ts");
  const { explainStorage } = await import("../engine/storage_error.ts");
  for (const failure of failures) writeError(describeError(explainStorage(failure, context)));
  return failures.length === 0 ? 0 : EXIT_MISSING;
}

async function describe(found: readonly ImageInspection[], template: string): Promise<string> {
  if (template === "" || template === "json") {
    const text = template === "" ? JSON.stringify(found, undefined, 4) : JSON.stringify(found);
    return `${harmlessJson(text)}\n`;
  }
  const [{ renderRows }, { templateFields }] = await Promise.all([
    import("./template_output.ts"),
    import("./inspect_fields.ts"),
  ]);
  return renderRows(template, found.map(templateFields), {});
}
