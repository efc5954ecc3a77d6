/** `bunker pull`: progress goes to stderr, and the complete references to stdout. */
import type { EngineContext } from "../engine/context.ts";
import type { PullRequest } from "../engine/pull.ts";
import { readCommandLine } from "./command_line.ts";
import { CommandLineError } from "./command_line_error.ts";
import { interruptible } from "./interruption.ts";
import type { ParsedOptions } from "./options.ts";
import { harmless, writeOut } from "./output.ts";
import { pullSpec } from "./specs.ts";
import { tlsVerifyOf } from "./tls_verify.ts";

/** Pulls the image that the words name. @returns the exit code. */
export async function pullImage(words: readonly string[], context: EngineContext): Promise<number> {
  const parsed = await readCommandLine(pullSpec, words);
  if (parsed === undefined) return 0;
  const [name = ""] = parsed.operands;
  const references = parsed.flag("all-tags")
    ? await pullTags(name, parsed, context)
    : [await pullOne(name, parsed, context)];
  for (const reference of references) writeOut(`${harmless(reference)}\n`);
  return 0;
}

async function pullOne(name: string, parsed: ParsedOptions, context: EngineContext): Promise<string> {
  const [{ pull }, observer] = await Promise.all([
    import("../engine/pull.ts"),
    parsed.flag("quiet")
      ? undefined
      : openDisplay().then(({ openProgress }) => openProgress({ implicit: false })),
  ]);
  const result = await pull(name, { ...requestOf(parsed), observer }, { ...context, interruptible });
  return result.reference;
}

async function pullTags(name: string, parsed: ParsedOptions, context: EngineContext): Promise<string[]> {
  if (name.includes("@") || name.lastIndexOf(":") > name.lastIndexOf("/"))
    throw new CommandLineError("tag cannot be used with --all-tags/-a");
  const [{ pullAllTags }, observer] = await Promise.all([
    import("../engine/pull_tags.ts"),
    parsed.flag("quiet") ? undefined : openDisplay().then(({ openTagsProgress }) => openTagsProgress()),
  ]);
  const results = await pullAllTags(name, { ...requestOf(parsed), observer }, { ...context, interruptible });
  return results.map(({ reference }) => reference);
}

const openDisplay = () => import("./progress.ts");

const requestOf = (parsed: ParsedOptions): PullRequest => ({
  platform: parsed.text("platform"),
  tlsVerify: tlsVerifyOf(parsed),
  verbose: parsed.flag("verbose"),
});
