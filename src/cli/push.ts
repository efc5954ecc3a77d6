/** `bunker push`: progress goes to stderr, and the complete references to stdout. */
import type { EngineContext } from "../engine/context.ts";
import { readCommandLine } from "./command_line.ts";
import { CommandLineError } from "./command_line_error.ts";
import { interruptible } from "./interruption.ts";
import { harmless, writeOut } from "./output.ts";
import { pushSpec } from "./registry_specs.ts";
import { tlsVerifyOf } from "./tls_verify.ts";

/** Pushes the image that the words name. @returns the exit code. */
export async function pushImage(words: readonly string[], context: EngineContext): Promise<number> {
  const parsed = await readCommandLine(pushSpec, words);
  if (parsed === undefined) return 0;
  const [name = ""] = parsed.operands;
  const allTags = parsed.flag("all-tags");
  if (allTags && (name.includes("@") || name.lastIndexOf(":") > name.lastIndexOf("/")))
    throw new CommandLineError("tag cannot be used with --all-tags/-a");
  const [{ push }, observer] = await Promise.all([
    import("../engine/push.ts"),
    parsed.flag("quiet") ? undefined : (await import("./progress.ts")).openPushProgress(),
  ]);
  const results = await push(
    name,
    { allTags, observer, platform: parsed.text("platform"), tlsVerify: tlsVerifyOf(parsed) },
    { ...context, interruptible },
  );
  for (const { reference } of results) writeOut(`${harmless(reference)}\n`);
  return 0;
}
