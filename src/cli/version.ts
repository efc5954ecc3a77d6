/** `bunker version` and `bunker --version`. */
import { version } from "../../package.json";
import { readCommandLine } from "./command_line.ts";
import { writeJson, writeOut } from "./output.ts";
import { outputFormatOf } from "./output_format.ts";
import { versionSpec } from "./specs.ts";

/** Prints one line, `bunker version 0.1.0`. @returns the exit code. */
export function printVersion(): number {
  writeOut(`bunker version ${version}\n`);
  return 0;
}

/** Prints all versions. @returns the exit code. */
export async function printVersions(words: readonly string[]): Promise<number> {
  const parsed = await readCommandLine(versionSpec, words);
  if (parsed === undefined) return 0;
  const platform = `${process.platform}/${process.arch === "x64" ? "amd64" : process.arch}`;
  const versions = { version, bun: Bun.version, platform };
  const format = outputFormatOf(parsed);
  if (typeof format === "object") {
    writeOut((await import("./template_output.ts")).renderObject(format.template, versions));
  } else if (format === "text") {
    writeOut(`Version:   ${version}\nBun:       ${Bun.version}\nPlatform:  ${platform}\n`);
  } else {
    writeJson(versions, 0);
  }
  return 0;
}
