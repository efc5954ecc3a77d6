/** Limits and annotations as properties of a unit. */
import { describe, expect, test } from "bun:test";
import { annotatedProperties } from "../../../../../src/runtime/cgroup/systemd/annotations.ts";
import { limitProperties } from "../../../../../src/runtime/cgroup/systemd/properties.ts";

const INFINITY = 2n ** 64n - 1n;

/** Names and values without types. */
const plain = (properties: ReturnType<typeof limitProperties>) =>
  Object.fromEntries(properties.map(([name, { value }]) => [name, value]));

describe("limitProperties()", () => {
  const resources = {
    memory: { limit: 100, swap: 150, reservation: 50 },
    cpu: { shares: 1024, quota: 15_000, period: 10_000, cpus: "0,9", mems: "0" },
    pids: { limit: 5 },
    blockIO: { weight: 10 },
  };

  test("tells systemd of version 2 what it knows", () => {
    expect(plain(limitProperties(resources, 2))).toEqual({
      MemoryMax: 100n,
      MemorySwapMax: 50n,
      MemoryLow: 50n,
      CPUWeight: 100n,
      CPUQuotaPeriodUSec: 10_000n,
      CPUQuotaPerSecUSec: 1_500_000n,
      TasksMax: 5n,
      AllowedCPUs: Uint8Array.of(1, 2),
      AllowedMemoryNodes: Uint8Array.of(1),
    });
  });

  test("tells systemd of version 1 what it knows", () => {
    expect(plain(limitProperties(resources, 1))).toEqual({
      MemoryLimit: 100n,
      CPUShares: 1024n,
      CPUQuotaPeriodUSec: 10_000n,
      CPUQuotaPerSecUSec: 1_500_000n,
      TasksMax: 5n,
      BlockIOWeight: 10n,
    });
  });

  test("says infinity for no limit, and nothing for what is not asked", () => {
    const unlimited = { memory: { limit: -1, swap: -1 }, pids: { limit: -1 }, cpu: { quota: -1 } };

    expect(plain(limitProperties(unlimited, 2))).toEqual({
      MemoryMax: INFINITY,
      MemorySwapMax: INFINITY,
      CPUQuotaPerSecUSec: INFINITY,
      TasksMax: INFINITY,
    });
    expect(limitProperties({}, 2)).toEqual([]);
  });

  test("rounds a quota up to what systemd counts in", () => {
    expect(plain(limitProperties({ cpu: { quota: 1001, period: 100_000 } }, 2))["CPUQuotaPerSecUSec"]).toBe(
      20_000n,
    );
  });
});

describe("annotatedProperties()", () => {
  const property = (name: string, text: string) =>
    annotatedProperties({ [`org.systemd.property.${name}`]: text });

  test.each([
    ["A", "true", "b", true],
    ["A", "5", "i", 5],
    ["A", "uint64 18446744073709551615", "t", INFINITY],
    ["A", "'it\\'s'", "s", "it's"],
    ["A", '"x"', "s", "x"],
    ["A", "['a', 'b']", "as", ["a", "b"]],
  ])("reads %s = %s", (name, text, type, value) => {
    expect(property(name, text)).toEqual([[name, { type, value: value as never }]]);
  });

  test("makes microseconds of seconds", () => {
    expect(property("TimeoutStopSec", "5")).toEqual([["TimeoutStopUSec", { type: "t", value: 5_000_000n }]]);
    expect(property("TimeoutStopUSec", "uint64 5")).toEqual([["TimeoutStopUSec", { type: "t", value: 5n }]]);
  });

  test("leaves other annotations alone", () => {
    expect(annotatedProperties({ "org.example": "x" })).toEqual([]);
  });

  test.each([
    ["A", "uint64 -1"],
    ["A", "2147483648"],
    ["A", "what"],
    ["A", "['a', 5]"],
    ["a", "5"],
    ["", "5"],
  ])("refuses %p = %p", (name, text) => {
    expect(() => property(name, text)).toThrow(`org.systemd.property.${name}`);
  });
});
