/**
 * What takes long to compile, kept below the runtime's root for the next time: a line of JSON, then bytes. The name of a
 * file is a hash of all that its content depends on, this build included; who may write there may start any container
 * already. No id of a container begins with "~", so neither do these directories stand in its way.
 *
 *     ROOT/~seccomp/HASH     filter_cache.ts
 *     ROOT/~programs/HASH    program_cache.ts
 */
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_RDONLY } from "../../linux/abi/fcntl.ts";
import { call, callRaw, cstr } from "../../linux/call.ts";
import { readDirectory } from "../../linux/file.ts";
import { readSmallFile, writeSmallFile } from "../../linux/small_file.ts";

/** What scripts/build.ts puts here: a hash of the sources. Undefined when run from the sources, which change. */
declare const BUNKER_BUILD: string;
/** Names the build; undefined: nothing is kept. */
export const build = typeof BUNKER_BUILD === "string" ? BUNKER_BUILD : undefined;

/** Most files that are kept in one directory. With one more all are given up. */
const FILES_MAX = 64;
const NEWLINE = 0x0a;

const utf8 = new TextDecoder();

/** A kept file: its first line, decoded, and the rest. */
export interface KeptFile {
  readonly head: unknown;
  readonly body: Uint8Array;
}

/** Undefined when there is no such file, or a full disk has cut it. */
export function readKept(path: string): KeptFile | undefined {
  const file = readSmallFile(path);
  const end = file?.indexOf(NEWLINE) ?? -1;
  if (file === undefined || end < 0) return undefined;
  const { size, head } = JSON.parse(utf8.decode(file.subarray(0, end))) as Line;
  const body = file.subarray(end + 1);
  return body.length === size ? { head, body } : undefined;
}

/** The first line; it ends, so it is whole. */
interface Line {
  readonly head: unknown;
  /** Bytes that follow. */
  readonly size: number;
}

/** Where a file is kept. */
export interface KeptPlace {
  readonly directory: string;
  readonly path: string;
}

/** The place below `directory` of what is made from `parts`. */
export function placeOf(directory: string, parts: readonly (string | Uint8Array)[]): KeptPlace {
  const hasher = new Bun.CryptoHasher("sha256");
  for (const part of parts) hasher.update(part);
  return { directory, path: `${directory}/${hasher.digest("hex")}` };
}

/**
 * For JSON.stringify, which bigints are not for. No field that is part of a key takes such a string as a number, so it
 * stands for nothing else.
 */
export const exact = (_key: string, value: unknown): unknown =>
  typeof value === "bigint" ? `${value}n` : value;

/** Keeps a file; what cannot be kept is compiled again. */
export function keep({ directory, path }: KeptPlace, { head, body }: KeptFile): void {
  try {
    callRaw("mkdirat", AT_FDCWD, cstr(directory), 0o700);
    makeRoom(directory);
    const line = new TextEncoder().encode(`${JSON.stringify({ head, size: body.length } satisfies Line)}\n`);
    const file = new Uint8Array(line.length + body.length);
    file.set(line);
    file.set(body, line.length);
    // A name of its own: another process may be at the same file.
    const temporary = `${path}.${process.pid}`;
    try {
      writeSmallFile(temporary, file, 0o600);
      callRaw("renameat2", AT_FDCWD, cstr(temporary), AT_FDCWD, cstr(path), 0);
    } finally {
      // There only when it could not be written or renamed.
      callRaw("unlinkat", AT_FDCWD, cstr(temporary), 0);
    }
  } catch {
    // A full or read-only file system keeps no container from starting that has got so far.
  }
}

function makeRoom(directory: string): void {
  const fd = call("openat", AT_FDCWD, cstr(directory), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  try {
    const entries = readDirectory(fd);
    if (entries.length < FILES_MAX) return;
    for (const { name } of entries) callRaw("unlinkat", fd, cstr(name), 0);
  } finally {
    call("close", fd);
  }
}
