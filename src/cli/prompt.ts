/**
 * Asks the person at the terminal. What is hidden is read in raw mode, byte by byte: with echo switched off alone, a Ctrl-C
 * would end the program and leave the terminal mute.
 */
import { read } from "node:fs";
import { isatty } from "node:tty";
import { InterruptedError, interruptible } from "./interruption.ts";
import { writeError } from "./output.ts";

/** Longest line that is taken, in bytes. */
const LINE_BYTES_MAX = 64 * 1024;
const CTRL_C = 3;
const CTRL_D = 4;
const BACKSPACES: readonly number[] = [8, 127];
const CTRL_U = 21;
const ENDS: readonly number[] = [10, 13];

/** Whether somebody can be asked. */
export const canAsk = (): boolean => isatty(0);

/**
 * Asks for one line.
 * @returns undefined at the end of the input
 * @throws {InterruptedError} for Ctrl-C, and when the program is told to end: the terminal is as it was then
 */
export async function ask(
  question: string,
  { hidden }: { readonly hidden: boolean },
): Promise<string | undefined> {
  if (!hidden) {
    writeError(question);
    return readLine();
  }
  process.stdin.setRawMode(true);
  try {
    // Only then: whoever sees it may type at once, and nothing of that is to be shown.
    writeError(question);
    return await interruptible((signal) => Promise.race([readLine(), abortOf(signal)]));
  } finally {
    process.stdin.setRawMode(false);
    writeError("\n");
  }
}

/** By single reads: a stream would take what is typed ahead for the next question. */
async function readLine(): Promise<string | undefined> {
  const bytes: number[] = [];
  for (;;) {
    const byte = await readByte();
    if (byte === CTRL_C) throw new InterruptedError("SIGINT", 130);
    if (byte === undefined || (byte === CTRL_D && bytes.length === 0)) return undefined;
    if (ENDS.includes(byte)) return Buffer.from(bytes).toString();
    if (BACKSPACES.includes(byte)) removeCharacter(bytes);
    else if (byte === CTRL_U) bytes.length = 0;
    else if (bytes.length < LINE_BYTES_MAX) bytes.push(byte);
  }
}

/** Undefined at the end. */
async function readByte(): Promise<number | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
  const buffer = Buffer.alloc(1);
  read(0, buffer, 0, 1, null, (error, count) =>
    error === null ? resolve(count === 0 ? undefined : buffer[0]) : reject(error),
  );
  return promise;
}

function abortOf(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  return promise;
}

/** One character of UTF-8: bytes that go on have the form 10xxxxxx. */
function removeCharacter(bytes: number[]): void {
  while (((bytes.pop() ?? 0) & 0xc0) === 0x80);
}
