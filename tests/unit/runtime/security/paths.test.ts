import { describe, expect, test } from "bun:test";
import {
  MASKED_PATHS,
  READONLY_PATHS,
  thermalThrottlePaths,
} from "../../../../src/runtime/security/paths.ts";

describe("the path lists", () => {
  test("hold absolute paths of procfs and sysfs, each once", () => {
    const paths = [...MASKED_PATHS, ...READONLY_PATHS];

    expect(paths.filter((path) => !/^\/(proc|sys)(\/[a-z_-]+)+$/.test(path))).toEqual([]);
    expect(new Set(paths).size).toBe(paths.length);
  });

  test.each(["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"])("mask %s", (path) => {
    expect(MASKED_PATHS).toContain(path);
  });

  test.each(["/proc/sys", "/proc/sysrq-trigger"])("make %s read-only", (path) => {
    expect(READONLY_PATHS).toContain(path);
  });
});

describe("thermalThrottlePaths()", () => {
  test("names one directory a processor", () => {
    expect(thermalThrottlePaths(2)).toEqual([
      "/sys/devices/system/cpu/cpu0/thermal_throttle",
      "/sys/devices/system/cpu/cpu1/thermal_throttle",
    ]);
  });
});
