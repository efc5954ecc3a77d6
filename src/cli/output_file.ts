/** Where an archive goes: to a file, which is there whole or not at all, or to stdout, unless that is a terminal. */
import { closeSync, constants, openSync, realpathSync, statSync } from "node:fs";
import { isatty } from "node:tty";
import { CommandLineError } from "./command_line_error.ts";
import { interruptible } from "./interruption.ts";
import { outputError, STANDARD_OUTPUT } from "./output_error.ts";

const STDOUT = 1;
const EXIT_FAILED = 1;

const WRITE_ERRORS: readonly unknown[] = ["EDQUOT", "ENOSPC", "EPIPE"];
/** These may come from what is read for it as well. */
const EITHER_ERRORS: readonly unknown[] = ["EFBIG", "EIO"];

/**
 * What is written has to end when the signal says so. Stdout, devices and pipes have none: nothing is cleaned up there, and
 * a write that nobody reads would keep the signal from being heard.
 */
type Write = (fd: number, signal?: AbortSignal) => void | Promise<void>;

interface Writing {
  readonly write: Write;
  /** Its name in messages. */
  readonly place: string;
}

/**
 * Calls `write` with a descriptor.
 * @param file path; undefined: stdout
 * @param verb as in "refusing to save to a terminal"
 * @throws {CommandLineError} for a terminal, and a name that is none
 * @throws {UsageError} when the output cannot be written to
 */
export async function withOutput(file: string | undefined, verb: string, write: Write): Promise<void> {
  if (file === "") throw new CommandLineError('invalid argument "" for --output: expected a path');
  if (file !== undefined) return await toFile(file, write);
  if (isatty(STDOUT)) {
    throw new CommandLineError(`cowardly refusing to ${verb} to a terminal. Use the -o flag or redirect`, {
      exitCode: EXIT_FAILED,
    });
  }
  await called(write, STDOUT, STANDARD_OUTPUT);
}

async function toFile(file: string, write: Write): Promise<void> {
  const place = JSON.stringify(file);
  const found = explained(place, () => statSync(file, { throwIfNoEntry: false }));
  // A device or a pipe is written to; a file put in its place would break /dev/null for the whole machine.
  if (found?.isFile() === false) {
    return await writeTo(
      explained(place, () => openSync(file, constants.O_WRONLY)),
      { write, place },
    );
  }
  const path = found === undefined ? file : realpathSync(file);
  await interruptible((signal) => toNewFile(path, { write: (fd) => write(fd, signal), place }));
}

async function toNewFile(path: string, { write, place }: Writing): Promise<void> {
  const { createNewFile } = await import("../engine/new_file.ts");
  using file = explained(place, () => createNewFile(path));
  await called(write, file.fd, place);
  explained(place, () => file.link(path));
}

async function writeTo(fd: number, { write, place }: Writing): Promise<void> {
  try {
    await called(write, fd, place);
  } finally {
    closeSync(fd);
  }
}

/** Nothing but the output is written to meanwhile: the errors of write(2) are about it, all others are not. */
async function called(write: Write, fd: number, place: string): Promise<void> {
  try {
    await write(fd);
  } catch (error) {
    const { code, syscall } = error as { readonly code?: unknown; readonly syscall?: unknown };
    const isOfOutput = WRITE_ERRORS.includes(code) || (EITHER_ERRORS.includes(code) && syscall === "write");
    throw isOfOutput ? outputError(error, place) : error;
  }
}

function explained<T>(place: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw outputError(error, place);
  }
}
