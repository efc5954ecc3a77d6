/** How little memory a container takes before its command does. */
import { describe, expect } from "bun:test";
import { readFileSync } from "node:fs";
import { Runtime } from "../../helpers/oci_runtime.ts";
import type { Need } from "../../helpers/requires.ts";
import { kernelTest } from "../../helpers/sandbox.ts";

const NEEDS: readonly Need[] = ["root", "the executable", "program busybox"];
const KB = 1024;

describe("the memory of a container", () => {
  kernelTest("may be limited to 512 KiB", [...NEEDS, "cgroup v1"], async (sandbox) => {
    await using runtime = new Runtime("bunker", sandbox);
    const linux = { resources: { memory: { limit: 512 * KB } } };

    expect(await runtime.output({ sh: "echo small", linux })).toBe("small\n");
  });

  kernelTest("is below 100 KB while it waits for start", NEEDS, async (sandbox) => {
    await using runtime = new Runtime("bunker", sandbox);
    const container = await runtime.create({ sh: "true" });
    const { pid } = await container.state();

    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");

    const own = [...rollup.matchAll(/^Private_\w+:\s+(\d+) kB/gm)].reduce(
      (sum, [, kb]) => sum + Number(kb),
      0,
    );
    expect(own).toBeGreaterThan(0);
    expect(own).toBeLessThan(100);
  });
});
