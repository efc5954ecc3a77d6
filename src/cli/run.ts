/**
 * `bunker run`: from words to RunOptions, and over to the engine. This is the hot path: what only some runs need is
 * loaded by those runs, and nothing of ours is printed when the image is local.
 */
import type { EngineContext } from "../engine/context.ts";
import type { PullObserver } from "../engine/progress.ts";
import { UsageError } from "../errors.ts";
import { readCommandLine } from "./command_line.ts";
import { type ParsedOptions, UnknownOptionError } from "./options.ts";
import { readRunOptions } from "./run_arguments.ts";
import { runSpec } from "./run_spec.ts";

/** `-it` without a terminal; exit code 1, as docker's. */
export class NoTerminalError extends UsageError {
  readonly exitCode = 1;
}

/**
 * Runs a container from the words after `run`.
 * @returns the exit code of the container's command, or 0 after `--help`.
 */
export async function runContainer(words: readonly string[], context: EngineContext): Promise<number> {
  const parsed = await readRunLine(words);
  if (parsed === undefined) return 0;
  const options = await readRunOptions(parsed);
  if (options.tty && options.interactive && !options.explain) await checkTerminal();
  const { run } = await import("../engine/run.ts");
  const { exitCode } = await run(options, {
    ...context,
    interruptible,
    ...(options.quiet ? {} : { observePull }),
  });
  return exitCode;
}

async function readRunLine(words: readonly string[]): Promise<ParsedOptions | undefined> {
  try {
    return await readCommandLine(runSpec, words);
  } catch (error) {
    if (!(error instanceof UnknownOptionError)) throw error;
    const { explainUnknownRunOption } = await import("./run_refusals.ts");
    throw explainUnknownRunOption(error);
  }
}

/** Loaded only when there is something to pull. */
async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const interruption = await import("./interruption.ts");
  return interruption.interruptible(work);
}

async function observePull(): Promise<PullObserver> {
  const { openProgress } = await import("./progress.ts");
  return openProgress({ implicit: true });
}

async function checkTerminal(): Promise<void> {
  const { isatty } = await import("node:tty");
  if (isatty(0)) return;
  throw new NoTerminalError("the input device is not a TTY", {
    hint: "Leave out -t, or run bunker in a terminal",
  });
}
