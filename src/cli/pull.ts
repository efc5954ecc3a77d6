/** `bunker pull`: progress goes to stderr, and the complete reference to stdout. */
import type { EngineContext } from "../engine/context.ts";
import type { PullObserver } from "../engine/progress.ts";
import { readCommandLine } from "./command_line.ts";
import { interruptible } from "./interruption.ts";
import { harmless, writeOut } from "./output.ts";
import { pullSpec } from "./specs.ts";
import { tlsVerifyOf } from "./tls_verify.ts";

/** Pulls the image that the words name. @returns the exit code. */
export async function pullImage(words: readonly string[], context: EngineContext): Promise<number> {
  const parsed = await readCommandLine(pullSpec, words);
  if (parsed === undefined) return 0;
  const [reference = ""] = parsed.operands;
  const [{ pull }, observer] = await Promise.all([
    import("../engine/pull.ts"),
    parsed.flag("quiet") ? undefined : openObserver(),
  ]);
  const result = await pull(
    reference,
    {
      platform: parsed.text("platform"),
      observer,
      tlsVerify: tlsVerifyOf(parsed),
      verbose: parsed.flag("verbose"),
    },
    { ...context, interruptible },
  );
  writeOut(`${harmless(result.reference)}\n`);
  return 0;
}

async function openObserver(): Promise<PullObserver> {
  const { openProgress } = await import("./progress.ts");
  return openProgress({ implicit: false });
}
