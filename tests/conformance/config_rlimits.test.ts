/** config.md, POSIX process: resource limits. */
import { describe, expect } from "bun:test";
import { conformanceTest } from "./harness.ts";

const limits = (
  ...rlimits: readonly unknown[]
): { readonly process: { readonly rlimits: readonly unknown[] } } => ({
  process: { rlimits },
});

describe("config.md#posix-process: rlimits", () => {
  conformanceTest("set soft and hard limit of what they name", [], async (runtime) => {
    const sh = "grep -E 'open files|core file|stack' /proc/self/limits | sed 's/  */ /g'";
    const patch = limits(
      { type: "RLIMIT_NOFILE", soft: 100, hard: 200 },
      { type: "RLIMIT_CORE", soft: 0, hard: 0 },
      { type: "RLIMIT_STACK", soft: 8_388_608, hard: 16_777_216 },
    );

    const output = await runtime.output({ sh, ...patch });

    expect(
      output
        .split("\n")
        .map((line) => line.replace(/ (files|bytes) ?$/, ""))
        .sort(),
    ).toEqual(["", "Max core file size 0 0", "Max open files 100 200", "Max stack size 8388608 16777216"]);
  });

  conformanceTest("limits of a type that does not exist are refused", [], async (runtime) => {
    await runtime.refusal(limits({ type: "RLIMIT_NO_SUCH", soft: 1, hard: 1 }));
  });

  conformanceTest("of one type given twice are refused", [], async (runtime) => {
    const limit = { type: "RLIMIT_NOFILE", soft: 100, hard: 200 };

    await runtime.refusal(limits(limit, { ...limit, soft: 50 }));
  });

  conformanceTest("that the kernel refuses are an error", [], async (runtime) => {
    await runtime.refusal(limits({ type: "RLIMIT_NOFILE", soft: 200, hard: 100 }));
  });
});
