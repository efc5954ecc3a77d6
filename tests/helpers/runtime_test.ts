/** A test of bunker as an OCI runtime, whose containers are gone when it ends, and with them all that they used. */
import { Runtime } from "./oci_runtime.ts";
import type { Need } from "./requires.ts";
import { kernelTest } from "./sandbox.ts";

const NEEDS: readonly Need[] = ["root", "the executable", "program busybox"];

/** Runs the test with a runtime in a sandbox of its own. */
export function bundleTest(
  name: string,
  body: (runtime: Runtime) => Promise<void>,
  needs: readonly Need[] = [],
): void {
  kernelTest(name, [...NEEDS, ...needs], async (sandbox) => {
    await using runtime = new Runtime("bunker", sandbox);
    await body(runtime);
  });
}
