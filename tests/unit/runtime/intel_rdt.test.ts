/** Which directories and lines of resctrl a configuration means: config-linux.md#intelrdt. */
import { describe, expect, test } from "bun:test";
import type { IntelRdt } from "../../../src/oci/bundle/config.ts";
import { findResctrl, hasShares, planRdt } from "../../../src/runtime/intel_rdt.ts";

const cases: readonly (readonly [string, IntelRdt, boolean, object])[] = [
  [
    "a class of the container's own without closID",
    {},
    false,
    { group: "id", expected: undefined, lines: [] },
  ],
  [
    "both fields for it",
    { l3CacheSchema: "L3:0=f", memBwSchema: "MB:0=50" },
    false,
    { group: "id", lines: ["L3:0=f", "MB:0=50"] },
  ],
  [
    "the bandwidth of its own field only",
    { l3CacheSchema: "L3:0=f\nMB:0=10", memBwSchema: "MB:0=50" },
    false,
    { lines: ["L3:0=f", "MB:0=50"] },
  ],
  [
    "all lines of the cache's field alone",
    { l3CacheSchema: "L3:0=f\nMB:0=10" },
    false,
    { lines: ["L3:0=f", "MB:0=10"] },
  ],
  [
    "further lines after the others",
    { l3CacheSchema: "L3:0=f", schemata: ["L2:0=3", "MB:0=20"] },
    false,
    { lines: ["L3:0=f", "L2:0=3", "MB:0=20"] },
  ],
  [
    "that a named class without shares is there",
    { closID: "gold" },
    false,
    { group: "gold", expected: { lines: [] }, lines: [] },
  ],
  [
    "that a named class with shares is made",
    { closID: "gold", l3CacheSchema: "L3:0=f" },
    false,
    { group: "gold", expected: undefined, lines: ["L3:0=f"] },
  ],
  [
    "that a named class which exists has the shares, and is left alone",
    { closID: "gold", l3CacheSchema: "L3:0=f" },
    true,
    { group: "gold", expected: { lines: ["L3:0=f"] }, lines: [] },
  ],
  ["monitoring where it is enabled", { enableMonitoring: true }, false, { monitors: true }],
  ["no monitoring otherwise", {}, false, { monitors: false }],
];

describe("planRdt()", () => {
  test.each(cases)("wants %s", (_, rdt, exists, plan) => {
    expect(planRdt(rdt, "id", exists)).toMatchObject(plan);
  });
});

describe("hasShares()", () => {
  const schemata = "    MB:0=100;1=100\n    L3:0=0ff;1=00f\n";

  test.each([["L3:0=ff"], ["L3:1=F;0=0ff"], ["MB:0=100"], ["L3: 0 = ff "]])("finds %p", (line) => {
    expect(hasShares(schemata, [line])).toBe(true);
  });

  test.each([["L3:0=f"], ["L3:2=ff"], ["L2:0=ff"], ["MB:0=10"]])("misses %p", (line) => {
    expect(hasShares(schemata, [line])).toBe(false);
  });
});

describe("findResctrl()", () => {
  test("finds the mount point, and nothing where there is none", () => {
    const other = "30 1 0:26 / /sys rw,nosuid - sysfs sysfs rw";

    expect(findResctrl(other)).toBeUndefined();
    expect(findResctrl(`${other}\n31 30 0:27 / /sys/fs/resctrl rw - resctrl resctrl rw\n`)).toBe(
      "/sys/fs/resctrl",
    );
  });
});
