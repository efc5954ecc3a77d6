/**
 * Device rules as lines of devices.allow and devices.deny: Documentation/admin-guide/cgroup-v1/devices.rst. The kernel
 * keeps one default and a set of exceptions to it, so a list is reduced to that.
 */
import { CgroupError } from "./cgroup_error.ts";
import { effectiveRules, type FullDeviceRule } from "./device_rules.ts";
import type { Setting } from "./settings.ts";

/**
 * The lines that make a group's rules those of the list, whatever they were.
 * @throws {CgroupError} for a rule that takes back a part of an earlier one: exceptions have no exceptions.
 */
export function devicesV1(list: readonly FullDeviceRule[]): Setting[] {
  const { allowAll, rules } = effectiveRules(list);
  const exceptions = new Map<string, FullDeviceRule>();
  for (const rule of rules.flatMap(byType)) {
    if (rule.allow === allowAll) takeBack(exceptions, rule);
    else exceptions.set(lineOf(rule), rule);
  }
  const [all, one] = allowAll ? ["devices.allow", "devices.deny"] : ["devices.deny", "devices.allow"];
  return [line(all, "a"), ...[...exceptions.keys()].map((text) => line(one, text))];
}

const line = (file: string, value: string): Setting => ({
  controller: "devices",
  file,
  value,
  field: "devices",
});

/** The kernel takes every "a" for a rule about everything. */
const byType = (rule: FullDeviceRule): FullDeviceRule[] =>
  rule.type === "a"
    ? [
        { ...rule, type: "c" },
        { ...rule, type: "b" },
      ]
    : [rule];

const number = (value: number): string => (value < 0 ? "*" : String(value));

/** `c 1:* rwm` */
const lineOf = ({ type, major, minor, access }: FullDeviceRule): string =>
  `${type} ${number(major)}:${number(minor)} ${access}`;

/** Removes the exceptions that the rule covers, and the accesses that it covers of those. */
function takeBack(exceptions: Map<string, FullDeviceRule>, rule: FullDeviceRule): void {
  for (const [text, exception] of [...exceptions]) {
    if (!overlaps(exception, rule)) continue;
    if (!covers(rule, exception)) {
      const field = rule.index === undefined ? "devices" : `devices[${rule.index}]`;
      throw new CgroupError(
        `Cannot set linux.resources.${field}: control groups of version 1 cannot take back a part of "${text}"`,
      );
    }
    exceptions.delete(text);
    const access = [...exception.access].filter((letter) => !rule.access.includes(letter)).join("");
    if (access !== "") exceptions.set(lineOf({ ...exception, access }), { ...exception, access });
  }
}

const meet = (a: number, b: number): boolean => a < 0 || b < 0 || a === b;
const contains = (outer: number, inner: number): boolean => outer < 0 || outer === inner;

function overlaps(a: FullDeviceRule, b: FullDeviceRule): boolean {
  const access = [...a.access].some((letter) => b.access.includes(letter));
  return access && a.type === b.type && meet(a.major, b.major) && meet(a.minor, b.minor);
}

const covers = (outer: FullDeviceRule, inner: FullDeviceRule): boolean =>
  contains(outer.major, inner.major) && contains(outer.minor, inner.minor);
