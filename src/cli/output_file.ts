/** Where an archive goes: to a file, which is there whole or not at all, or to stdout, unless that is a terminal. */
import { closeSync, openSync, renameSync, rmSync } from "node:fs";
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

async function toFile(path: string, write: (fd: number) => void | Promise<void>): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const fd = openSync(temporary, "wx", 0o600);
    try {
      await write(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
