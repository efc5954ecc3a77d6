/** Where an archive goes: to a file, which is there whole or not at all, or to stdout, unless that is a terminal. */
import { closeSync, constants, openSync, realpathSync, renameSync, rmSync, statSync } from "node:fs";
import { isatty } from "node:tty";
import { CommandLineError } from "./command_line_error.ts";

const STDOUT = 1;
const EXIT_FAILED = 1;

/**
 * Calls `write` with a descriptor.
 * @param file path; undefined: stdout
 * @param verb as in "refusing to save to a terminal"
 * @throws {CommandLineError} for a terminal
 */
export async function withOutput(
  file: string | undefined,
  verb: string,
  write: (fd: number) => void | Promise<void>,
): Promise<void> {
  if (file !== undefined) return toFile(file, write);
  if (isatty(STDOUT)) {
    throw new CommandLineError(`cowardly refusing to ${verb} to a terminal. Use the -o flag or redirect`, {
      exitCode: EXIT_FAILED,
    });
  }
  await write(STDOUT);
}

async function toFile(file: string, write: (fd: number) => void | Promise<void>): Promise<void> {
  const found = statSync(file, { throwIfNoEntry: false });
  // A device or a pipe is written to; a file put in its place would break /dev/null for the whole machine.
  if (found?.isFile() === false) return await writeTo(openSync(file, constants.O_WRONLY), write);
  const path = found === undefined ? file : realpathSync(file);
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await writeTo(openSync(temporary, "wx", 0o600), write);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

async function writeTo(fd: number, write: (fd: number) => void | Promise<void>): Promise<void> {
  try {
    await write(fd);
  } finally {
    closeSync(fd);
  }
}
