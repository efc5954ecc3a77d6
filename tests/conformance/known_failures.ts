/**
 * What other runtimes are known not to do, so that the same tests can run with them: title of the test and the reason. A
 * test that is listed here and passes is an error.
 */
import type { RuntimeName } from "../helpers/oci_runtime.ts";

/** The versions that the table is for: those of Debian 12. */
export const TESTED_VERSIONS: Readonly<Record<Exclude<RuntimeName, "bunker">, string>> = {
  crun: "1.8.1",
  runc: "1.1.5",
};

type Failures = Readonly<Record<string, string>>;

const CRUN: Failures = {};

const RUNC: Failures = {};

/** Why a test is expected to fail with a runtime; undefined when it is expected to pass. */
export function knownFailure(name: RuntimeName, title: string): string | undefined {
  if (name === "bunker") return undefined;
  return (name === "crun" ? CRUN : RUNC)[title];
}
