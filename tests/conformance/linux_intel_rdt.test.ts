/** config-linux.md, IntelRdt and Memory policy: features of processors that machines rarely have. */
import { describe, expect } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { conformanceTest } from "./harness.ts";

const sleeper = { process: { args: ["/bin/sleep", "60"] } };
const hasResctrl = / - resctrl /.test(readFileSync("/proc/self/mountinfo", "utf8"));
const hasNuma = existsSync("/proc/self/numa_maps");

describe("config-linux.md#intelrdt", () => {
  conformanceTest("without a resctrl file system is refused", [], async (runtime) => {
    if (hasResctrl) return;
    for (const intelRdt of [{ closID: "group", l3CacheSchema: "L3:0=f" }, { schemata: ["MB:0=50"] }]) {
      await runtime.refusal({ ...sleeper, linux: { intelRdt } });
    }
  });
});

describe("config-linux.md#intelrdt: empty", () => {
  conformanceTest("but there, without a resctrl file system, is refused too", [], async (runtime) => {
    if (!hasResctrl) await runtime.refusal({ ...sleeper, linux: { intelRdt: {} } });
  });
});

describe("config-linux.md#memory-policy", () => {
  const policyOf = "cut -d' ' -f2 /proc/self/numa_maps | sort -u | xargs";

  conformanceTest("is that of the process", [], async (runtime) => {
    if (!hasNuma) return;
    const memoryPolicy = { mode: "MPOL_BIND", nodes: "0" };

    expect(await runtime.output({ sh: policyOf, linux: { memoryPolicy } })).toContain("bind:0");
  });

  conformanceTest("of a mode without nodes is taken", [], async (runtime) => {
    if (!hasNuma) return;
    for (const mode of ["MPOL_DEFAULT", "MPOL_LOCAL"]) {
      const sh = `${policyOf}; echo ran`;
      expect(await runtime.output({ sh, linux: { memoryPolicy: { mode } } })).toEndWith("ran\n");
    }
  });

  conformanceTest("of a mode that does not exist is refused", [], async (runtime) => {
    await runtime.refusal({ ...sleeper, linux: { memoryPolicy: { mode: "MPOL_NO_SUCH", nodes: "0" } } });
  });

  conformanceTest("a memory policy with a flag that does not exist is refused", [], async (runtime) => {
    const memoryPolicy = { mode: "MPOL_BIND", nodes: "0", flags: ["MPOL_F_NO_SUCH"] };

    await runtime.refusal({ ...sleeper, linux: { memoryPolicy } });
  });

  conformanceTest("that the kernel refuses is an error", [], async (runtime) => {
    if (!hasNuma) return;
    await runtime.refusal({ ...sleeper, linux: { memoryPolicy: { mode: "MPOL_BIND", nodes: "" } } });
    await runtime.refusal({ ...sleeper, linux: { memoryPolicy: { mode: "MPOL_DEFAULT", nodes: "0" } } });
  });
});
