/** Lists of device rules as exceptions to a default. */
import { describe, expect, test } from "bun:test";
import type { DeviceRule } from "../../../../src/oci/bundle/config.ts";
import { DEFAULT_DEVICE_RULES, deviceRules } from "../../../../src/runtime/cgroup/device_rules.ts";
import { devicesV1 } from "../../../../src/runtime/cgroup/devices_v1.ts";

/** Lines of a list, without those of the default devices. */
function linesOf(devices: readonly DeviceRule[]): string[] {
  const rules = deviceRules({ devices }).slice(0, -DEFAULT_DEVICE_RULES.length);
  return devicesV1(rules).map(({ file, value }) => `${file} ${value}`);
}

const DENY_ALL: DeviceRule = { allow: false, access: "rwm" };

describe("devicesV1()", () => {
  test("denies everything but the default devices without a list", () => {
    const lines = devicesV1(deviceRules({})).map(({ file, value }) => `${file} ${value}`);

    expect(lines[0]).toBe("devices.deny a");
    expect(lines).toContain("devices.allow c 1:3 rwm");
    expect(lines).toContain("devices.allow c 136:* rwm");
    expect(lines).not.toContain("devices.allow c 10:200 rwm");
  });

  test("keeps the default devices after a list that denies everything", () => {
    const lines = devicesV1(deviceRules({ devices: [DENY_ALL] })).map(({ value }) => value);

    expect(lines).toContain("c 5:2 rwm");
  });

  test("allows everything for a privileged container", () => {
    expect(linesOf([{ allow: true, access: "rwm" }])).toEqual(["devices.allow a"]);
  });

  test("forgets what stands before a rule about everything", () => {
    expect(linesOf([{ allow: true, type: "c", major: 1, minor: 2, access: "r" }, DENY_ALL])).toEqual([
      "devices.deny a",
    ]);
  });

  test("makes denials exceptions when everything is allowed", () => {
    const list: DeviceRule[] = [
      { allow: true },
      { allow: false, type: "c", major: 10, minor: 229, access: "rwm" },
    ];

    expect(linesOf(list)).toEqual(["devices.allow a", "devices.deny c 10:229 rwm"]);
  });

  test("splits a rule about both types, which the kernel would take for one about everything", () => {
    expect(linesOf([DENY_ALL, { allow: true, type: "a", access: "m" }])).toEqual([
      "devices.deny a",
      "devices.allow c *:* m",
      "devices.allow b *:* m",
    ]);
  });

  test("reads -1 as every number", () => {
    expect(linesOf([{ allow: true, type: "b", major: 8, minor: -1, access: "r" }])).toContain(
      "devices.allow b 8:* r",
    );
  });

  test("takes back an exception, or some accesses of it", () => {
    const allowed: DeviceRule = { allow: true, type: "c", major: 4, minor: 1, access: "rw" };

    expect(linesOf([allowed, { ...allowed, allow: false }])).toEqual(["devices.deny a"]);
    expect(linesOf([allowed, { ...allowed, allow: false, access: "w" }])).toEqual([
      "devices.deny a",
      "devices.allow c 4:1 r",
    ]);
  });

  test("refuses to take back a part of an exception", () => {
    const list: DeviceRule[] = [
      { allow: true, type: "c", major: 4, access: "rw" },
      { allow: false, type: "c", major: 4, minor: 1, access: "w" },
    ];

    expect(() => linesOf(list)).toThrow("linux.resources.devices[1]");
  });
});
