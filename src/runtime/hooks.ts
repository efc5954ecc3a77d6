/**
 * Hooks of the runtime itself: prestart, createRuntime, poststart and poststop run in its namespaces. The same steps as
 * in a container (process/hook.ts), in a program of their own: the engine's descriptors and environment stay out of
 * reach, what a hook prints is bounded, and its timeout is kept without the event loop.
 */
import { BunkerError } from "../errors.ts";
import { call } from "../linux/call.ts";
import { createMemfd, writeAll } from "../linux/memfd.ts";
import { executableOf, finishProgram, inheritedFd, programWithReport, spawnProgram } from "../linux/spawn.ts";
import { waitForExit } from "../linux/wait.ts";
import type { Hook, HookKind } from "../oci/bundle/config.ts";
import { planHook } from "./process/hook.ts";
import { formatHookFailure, type HookFailure, readHookFailure } from "./process/hook_report.ts";
import { ignoredSignals } from "./process/signals.ts";

/** A hook did not end with 0. */
export class HookError extends BunkerError {
  readonly code = "HOOK";
  readonly failure: HookFailure;

  constructor(failure: HookFailure) {
    super(formatHookFailure(failure));
    this.failure = failure;
  }
}

/** What hooks are given. */
export interface HookContext {
  /** The container's state (runtime.md#state), as JSON on their standard input. */
  readonly state: unknown;
  /** Working directory. */
  readonly cwd?: string;
  /** File for the program where memfds may not be executed. */
  readonly programFile?: string;
}

/** Runs all hooks of a kind in their order. @throws {HookError} for the first that fails; the others do not run. */
export function runHooks(kind: HookKind, hooks: readonly Hook[], context: HookContext): void {
  runFrom(kind, [...hooks.entries()], context);
}

/**
 * Runs all hooks of a kind; one that fails is warned of and does not keep the next from running, as the specification
 * wants it for poststart and poststop (runtime.md#lifecycle).
 */
export function runLateHooks(
  kind: HookKind,
  hooks: readonly Hook[],
  context: HookContext & { readonly warn: (message: string) => void },
): void {
  for (const entry of hooks.entries()) {
    try {
      runFrom(kind, [entry], context);
    } catch (error) {
      context.warn((error as Error).message);
    }
  }
}

function runFrom(
  kind: HookKind,
  hooks: ReadonlyArray<readonly [index: number, hook: Hook]>,
  { state, cwd, programFile }: HookContext,
): void {
  if (hooks.length === 0) return;
  const program = programWithReport();
  const ignored = ignoredSignals();
  for (const [index, hook] of hooks) {
    const place = cwd === undefined ? {} : { cwd };
    planHook(program, hook, { kind, index, state: inheritedFd(0), ignoredSignals: ignored, ...place });
  }
  program.section("end").exit_group(0);
  const stdin = createMemfd("state");
  try {
    writeAll(stdin, new TextEncoder().encode(JSON.stringify(state)));
    const options = { namespaces: 0, inherit: [stdin] };
    run(kind, finishProgram(program), programFile === undefined ? options : { ...options, programFile });
  } finally {
    call("close", stdin);
  }
}

function run(
  kind: HookKind,
  program: ReturnType<typeof finishProgram>,
  options: Parameters<typeof spawnProgram>[1],
): void {
  const executable = executableOf(program);
  const spawned = spawnProgram(executable, options);
  try {
    const exit = waitForExit(spawned.pidfd);
    const failure = readHookFailure(spawned.report.bytes);
    if (failure !== undefined) throw new HookError(failure);
    if (!("code" in exit && exit.code === 0))
      throw new Error(`Cannot run ${kind} hooks: their program was ended`);
  } finally {
    spawned.release();
  }
}
