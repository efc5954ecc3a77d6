/**
 * What a second bunker (user_namespace_task.ts) tells the first one: lines of JSON through a pipe. The first one shows the
 * progress and throws the error, so that a caller sees no difference.
 */
import { writeSync } from "node:fs";
import { BunkerError } from "../errors.ts";
import { type ErrorData, RelayedError, toErrorData } from "../image/lane/error_data.ts";
import { inheritedFd } from "../linux/spawn.ts";
import type { LayerProgress } from "./progress.ts";

/** One line. */
export type TaskMessage =
  | { readonly kind: "layer"; readonly progress: LayerProgress }
  /** Something that the user should know about. */
  | { readonly kind: "note"; readonly text: string }
  /** What was asked for, as JSON. */
  | { readonly kind: "answer"; readonly values: readonly unknown[] }
  | { readonly kind: "failed"; readonly error: ErrorData; readonly exitCode: number | undefined };

/** A second process ended without having said why, or could not be heard. */
export class TaskError extends BunkerError {
  readonly code = "TASK_FAILED";
  readonly exitCode: number | undefined;

  /** @param end its exit code, or what was in the way of hearing it */
  constructor(end: { readonly exitCode: number } | { readonly cause: unknown }) {
    const { exitCode, cause } = { exitCode: undefined, cause: undefined, ...end };
    const state = exitCode === undefined ? "cannot be heard" : `ended with code ${exitCode}`;
    super(`Cannot finish the work: the process that does it in a user namespace ${state}`, { cause });
    this.exitCode = exitCode;
  }
}

/** Number in the second bunker of the descriptor that its messages go to. */
export const CHANNEL_FD = inheritedFd(1);

/** Sends one message to the first bunker. */
export function sendMessage(message: TaskMessage): void {
  const line = Buffer.from(`${JSON.stringify(message)}\n`);
  for (let sent = 0; sent < line.length; ) sent += writeSync(CHANNEL_FD, line, sent);
}

/** Tells the first bunker why the task failed. */
export function sendFailure(error: unknown): void {
  const exitCode = (error as { exitCode?: unknown } | undefined)?.exitCode;
  sendMessage({
    kind: "failed",
    error: toErrorData(error),
    exitCode: typeof exitCode === "number" ? exitCode : undefined,
  });
}

/**
 * Reads the messages until the last writer is gone.
 * @param read end of the pipe; stays open
 * @returns the error that the second bunker had, to be thrown
 * @throws {TaskError} when the pipe cannot be read: EMFILE, EIO
 */
export async function readMessages(
  read: number,
  onMessage: (message: Exclude<TaskMessage, { kind: "failed" }>) => void,
): Promise<Error | undefined> {
  let failure: Error | undefined;
  for await (const line of linesOf(read)) {
    const message = JSON.parse(line) as TaskMessage;
    if (message.kind === "failed") failure = new TaskFailure(message);
    else onMessage(message);
  }
  return failure;
}

/** The error of the second bunker with its exit code. */
class TaskFailure extends RelayedError {
  readonly exitCode: number | undefined;

  constructor({ error, exitCode }: Extract<TaskMessage, { kind: "failed" }>) {
    super(error);
    this.exitCode = exitCode;
  }
}

async function* linesOf(fd: number): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of chunksOf(fd)) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

async function* chunksOf(fd: number): AsyncGenerator<Uint8Array> {
  try {
    yield* Bun.file(fd).stream();
  } catch (cause) {
    throw new TaskError({ cause });
  }
}
