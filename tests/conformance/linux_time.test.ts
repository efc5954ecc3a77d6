/** config-linux.md, Offset for Time Namespace. */
import { describe, expect } from "bun:test";
import { readFileSync, readlinkSync } from "node:fs";
import { NAMESPACES } from "../helpers/runtime_bundle.ts";
import { conformanceTest } from "./harness.ts";

const timeOffsets = { monotonic: { secs: 1000, nanosecs: 500 }, boottime: { secs: 100_000 } };
const namespaces = [...NAMESPACES, { type: "time" }];

describe("config-linux.md#offset-for-time-namespace", () => {
  conformanceTest("is that of each clock", [], async (runtime) => {
    const sh = "sed 's/  */ /g' /proc/self/timens_offsets; cut -d. -f1 /proc/uptime";

    const output = await runtime.output({ sh, linux: { namespaces, timeOffsets } });

    const lines = output.trim().split("\n");
    const uptime = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]);
    expect(lines.slice(0, 2).sort()).toEqual(["boottime 100000 0", "monotonic 1000 500"]);
    expect(Number(lines[2])).toBeGreaterThan(uptime + 99_000);
  });

  conformanceTest("is none when none is given", [], async (runtime) => {
    const sh = "readlink /proc/self/ns/time; sed 's/  */ /g' /proc/self/timens_offsets";

    const output = await runtime.output({ sh, linux: { namespaces } });

    expect(output).toEndWith("monotonic 0 0\nboottime 0 0\n");
    expect(output).not.toStartWith(readlinkSync("/proc/self/ns/time"));
  });

  conformanceTest("of a clock that has none is refused", [], async (runtime) => {
    await runtime.refusal({ linux: { namespaces, timeOffsets: { realtime: { secs: 1 } } } });
  });

  conformanceTest("without a time namespace is refused", [], async (runtime) => {
    await runtime.refusal({ linux: { timeOffsets } });
  });
});
