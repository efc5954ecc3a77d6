/**
 * Compiled seccomp filters, kept below the runtime's root: compiling a profile of four hundred names takes a cold start 7 to
 * 10 ms (measured), a tenth of which finding it again costs. The name of a file is a hash of the profile and of this
 * build; who may write there may start any container already.
 *
 *     ROOT/~seccomp/SHA256: { flags, listener } as one line of JSON, then an array of struct sock_filter
 */
import type { CompiledFilter } from "../../runtime/security/bundle_filter.ts";
import { build, exact, keep, placeOf, readKept } from "./kept_files.ts";

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
  const place =
    version === undefined || root === undefined
      ? undefined
      : placeOf(`${root}/~seccomp`, [`${version}\n`, JSON.stringify(seccomp, exact)]);
  const known = place === undefined ? undefined : readKept(place.path);
  if (known !== undefined) return { ...(known.head as Head), filter: known.body };
  const { bundleFilter } = await import("../../runtime/security/bundle_filter.ts");
  const { filter, flags, listener } = bundleFilter(seccomp);
  if (place !== undefined) keep(place, { head: { flags, listener }, body: filter });
  return { filter, flags, listener };
}

type Head = Pick<CompiledFilter, "flags" | "listener">;
