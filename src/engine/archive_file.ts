/** The file that an archive is read from, looked at before anything is made or a second process started. */
import { accessSync, constants, statSync } from "node:fs";
import { UsageError } from "../errors.ts";

const STATES: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  ENOENT: "there is no such file",
  ENOTDIR: "a part of its path is no directory",
};

/** Does not open it: it may be a pipe. @throws {UsageError} when it cannot be read, or is a directory */
export function checkArchiveFile(path: string): void {
  const subject = `Cannot read ${JSON.stringify(path)}`;
  try {
    accessSync(path, constants.R_OK);
  } catch (cause) {
    const { code = "" } = cause as NodeJS.ErrnoException;
    throw new UsageError(`${subject}: ${STATES[code] ?? code}`, { cause });
  }
  if (statSync(path).isDirectory()) throw new UsageError(`${subject}: it is a directory`);
}
