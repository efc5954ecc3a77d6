/**
 * Compiled seccomp filters, kept below the runtime's root: compiling a profile of four hundred names takes a cold start 7 to
 * 10 ms (measured), a tenth of which finding it again costs. The name of a file is a hash of the profile and of this
 * build; who may write there may start any container already.
 *
 *     ROOT/~seccomp/SHA256: { flags, listener } as one line of JSON, then an array of struct sock_filter
 *
 * No id of a container begins with "~".
 */
import { AT_FDCWD } from "../../linux/abi/fcntl.ts";
import { callRaw, cstr } from "../../linux/call.ts";
import { readSmallFile, writeSmallFile } from "../../linux/small_file.ts";
import type { CompiledFilter } from "../../runtime/security/bundle_filter.ts";

/** What scripts/build.ts puts here: a hash of the sources. Undefined when run from the sources, which change. */
declare const BUNKER_BUILD: string;
const build = typeof BUNKER_BUILD === "string" ? BUNKER_BUILD : undefined;

/** Most filters that are kept: an engine has a handful of profiles. With one more all are given up. */
const FILES_MAX = 64;
const NEWLINE = 0x0a;

/**
 * The filter of `linux.seccomp`, compiled unless it is known.
 * @param root the runtime's root; undefined: nothing is kept.
 * @throws {ConfigError} {RangeError} as bundleFilter() does.
 */
export async function filterOf(
  seccomp: object,
  root: string | undefined,
  version: string | undefined = build,
): Promise<CompiledFilter> {
  const directory = `${root}/~seccomp`;
  const path =
    version === undefined || root === undefined ? undefined : `${directory}/${nameOf(seccomp, version)}`;
  const known = path === undefined ? undefined : read(path);
  if (known !== undefined) return known;
  const { bundleFilter } = await import("../../runtime/security/bundle_filter.ts");
  const { filter, flags, listener } = bundleFilter(seccomp);
  if (path !== undefined) await keep({ directory, path }, { filter, flags, listener });
  return { filter, flags, listener };
}

function nameOf(seccomp: object, version: string): string {
  const text = `${version}\n${JSON.stringify(seccomp, exact)}`;
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}

/** Bigints are no JSON; no field of a profile takes such a string as a number, so it stands for nothing else. */
const exact = (_key: string, value: unknown): unknown => (typeof value === "bigint" ? `${value}n` : value);

const utf8 = new TextDecoder();

/** Undefined when there is no such file. */
function read(path: string): CompiledFilter | undefined {
  const file = readSmallFile(path);
  const end = file?.indexOf(NEWLINE) ?? -1;
  if (file === undefined || end < 0) return undefined;
  const { flags, listener } = JSON.parse(utf8.decode(file.subarray(0, end))) as Head;
  return { filter: file.slice(end + 1), flags, listener };
}

type Head = Pick<CompiledFilter, "flags" | "listener">;

interface Place {
  readonly directory: string;
  readonly path: string;
}

/** What cannot be kept is compiled again. */
async function keep({ directory, path }: Place, { filter, flags, listener }: CompiledFilter): Promise<void> {
  const { mkdirSync, readdirSync, rmSync } = await import("node:fs");
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    if (readdirSync(directory).length >= FILES_MAX) {
      for (const name of readdirSync(directory)) rmSync(`${directory}/${name}`, { force: true });
    }
    const line = new TextEncoder().encode(`${JSON.stringify({ flags, listener })}\n`);
    const file = new Uint8Array(line.length + filter.length);
    file.set(line);
    file.set(filter, line.length);
    // A name of its own: another process may be at the same profile.
    const temporary = `${path}.${process.pid}`;
    writeSmallFile(temporary, file, 0o600);
    callRaw("renameat2", AT_FDCWD, cstr(temporary), AT_FDCWD, cstr(path), 0);
  } catch {
    // A full or read-only file system keeps no container from starting that has got so far.
  }
}
