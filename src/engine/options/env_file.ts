/**
 * Reads `--env-file` by docker's rules: a line is `KEY=value` or `KEY`; blank lines and lines that begin with `#` are
 * skipped; spaces before the key are dropped; the value is taken as it is, quotes and trailing spaces included.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { UsageError } from "../../errors.ts";

/** Largest file in bytes; an environment above 128 KiB a variable is refused by execve(2) anyway. */
export const ENV_FILE_BYTES_MAX = 1024 * 1024;

/**
 * The entries of the file at `path`.
 * @throws {UsageError} when it cannot be read, is too large, or has a line that is no entry; the message names
 * the line's number, never its text, which may be a secret.
 */
export function readEnvFile(path: string): readonly string[] {
  return parseEnvText(decode(readBounded(path), path), path);
}

/**
 * The entries of a text; `path` only appears in messages.
 * @throws {UsageError} for a line without a key, or a key with white space.
 */
export function parseEnvText(text: string, path: string): readonly string[] {
  const entries: string[] = [];
  for (const [index, line] of text
    .replace(/^\ufeff/, "")
    .split(/\r?\n/)
    .entries()) {
    const entry = line.trimStart();
    if (entry === "" || entry.startsWith("#")) continue;
    const equals = entry.indexOf("=");
    const key = equals === -1 ? entry.trimEnd() : entry.slice(0, equals);
    if (key === "" || /\s/.test(key)) {
      const state = key === "" ? "no variable name before =" : "white space in the variable name";
      throw new UsageError(`Cannot read env file "${path}": line ${index + 1} has ${state}`);
    }
    entries.push(equals === -1 ? key : entry);
  }
  return entries;
}

function readBounded(path: string): Uint8Array {
  try {
    return readUpTo(path, ENV_FILE_BYTES_MAX);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`Cannot read env file "${path}"`, { cause: error });
  }
}

/** Works for pipes too (`--env-file <(…)`), whose size is not known before. */
function readUpTo(path: string, limit: number): Uint8Array {
  const descriptor = openSync(path, "r");
  try {
    if (fstatSync(descriptor).isDirectory())
      throw new UsageError(`Cannot read env file "${path}": it is a directory`);
    const buffer = new Uint8Array(limit + 1);
    let length = 0;
    while (length <= limit) {
      const count = readSync(descriptor, buffer, length, buffer.length - length, null);
      if (count === 0) return buffer.subarray(0, length);
      length += count;
    }
    throw new UsageError(`Cannot read env file "${path}": it is larger than ${limit} bytes`);
  } finally {
    closeSync(descriptor);
  }
}

function decode(bytes: Uint8Array, path: string): string {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    if (!text.includes("\0")) return text;
  } catch (error) {
    throw new UsageError(`Cannot read env file "${path}": it is not UTF-8 text`, { cause: error });
  }
  throw new UsageError(`Cannot read env file "${path}": it is not UTF-8 text`);
}
