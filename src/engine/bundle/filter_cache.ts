/**
 * Compiled seccomp filters, kept below the runtime's root: compiling a profile of four hundred names takes a cold start 7 to
 * 10 ms (measured), a tenth of which finding it again costs. The name of a file is a hash of the profile and of this
 * build; who may write there may start any container already.
 *
 *     ROOT/~seccomp/SHA256: { flags, listener } as one line of JSON, then an array of struct sock_filter
 */
import type { CompiledFilter } from "../../runtime/security/bundle_filter.ts";
import { build, keep, readKept } from "./kept_files.ts";

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
  const known = path === undefined ? undefined : readKept(path);
  if (known !== undefined) return { ...(known.head as Head), filter: known.body };
  const { bundleFilter } = await import("../../runtime/security/bundle_filter.ts");
  const { filter, flags, listener } = bundleFilter(seccomp);
  if (path !== undefined) await keep({ directory, path }, { head: { flags, listener }, body: filter });
  return { filter, flags, listener };
}

function nameOf(seccomp: object, version: string): string {
  const text = `${version}\n${JSON.stringify(seccomp, exact)}`;
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}

/** Bigints are no JSON; no field of a profile takes such a string as a number, so it stands for nothing else. */
const exact = (_key: string, value: unknown): unknown => (typeof value === "bigint" ? `${value}n` : value);

type Head = Pick<CompiledFilter, "flags" | "listener">;
