/**
 * Which devices a container may use: config-linux.md#allowed-device-list. The list is read as "the last rule that matches
 * decides"; before it everything is denied, after it come the devices that every container has.
 */
import type { DeviceRule, Resources } from "../../oci/bundle/config.ts";

/** A rule with all its members. */
export interface FullDeviceRule {
  readonly allow: boolean;
  readonly type: "a" | "b" | "c";
  /** -1: every one. */
  readonly major: number;
  readonly minor: number;
  /** Some of `r`, `w`, `m`, in this order. */
  readonly access: string;
  /** Place in the list for errors; undefined for a default. */
  readonly index?: number;
}

type Numbers = readonly [major: number, minor: number];

const allow = (type: "b" | "c", [major, minor]: Numbers, access = "rwm"): FullDeviceRule => ({
  allow: true,
  type,
  major,
  minor,
  access,
});

/** Nodes of any kind may be made but not opened; config-linux.md#default-devices may be. */
export const DEFAULT_DEVICE_RULES: readonly FullDeviceRule[] = [
  allow("c", [-1, -1], "m"),
  allow("b", [-1, -1], "m"),
  // null, zero, full, random, urandom
  ...[3, 5, 7, 8, 9].map((minor) => allow("c", [1, minor])),
  // tty, console, ptmx
  ...[0, 1, 2].map((minor) => allow("c", [5, minor])),
  // The terminals of devpts.
  allow("c", [136, -1]),
];

/** The whole list of a container. An absent list is an empty one: nothing but the defaults. */
export function deviceRules({ devices = [] }: Resources): FullDeviceRule[] {
  return [...devices.map(fullRule), ...DEFAULT_DEVICE_RULES];
}

function fullRule(rule: DeviceRule, index: number): FullDeviceRule {
  const access = rule.access === undefined || rule.access === "" ? "rwm" : rule.access;
  return {
    allow: rule.allow,
    type: rule.type === "b" || rule.type === "c" ? rule.type : "a",
    major: rule.major ?? -1,
    minor: rule.minor ?? -1,
    access: [..."rwm"].filter((letter) => access.includes(letter)).join(""),
    index,
  };
}

/** Whether a rule decides about every device and every access. */
const isTotal = ({ type, major, minor, access }: FullDeviceRule): boolean =>
  type === "a" && major < 0 && minor < 0 && access === "rwm";

/** What counts at the end: the last rule about everything, and what follows it. */
export function effectiveRules(rules: readonly FullDeviceRule[]): {
  readonly allowAll: boolean;
  readonly rules: readonly FullDeviceRule[];
} {
  const last = rules.findLastIndex(isTotal);
  const allowAll = rules[last]?.allow ?? false;
  return { allowAll, rules: rules.slice(last + 1) };
}
