import { describe, expect, test } from "bun:test";
import { UsageError } from "../../../../src/errors.ts";
import {
  type HostRlimits,
  planRlimits,
  RLIM_INFINITY,
  type RlimitRequest,
  rlimitNumber,
} from "../../../../src/runtime/security/rlimit.ts";

const NOFILE = 7;
const CORE = 4;

describe("rlimitNumber()", () => {
  test.each([
    ["nofile", 7],
    ["NOFILE", 7],
    ["RLIMIT_NOFILE", 7],
    ["cpu", 0],
    ["rttime", 15],
  ])("knows %s", (name, number) => {
    expect(rlimitNumber(name)).toBe(number);
  });

  test.each(["", "nofiles", "toString", "__proto__"])("refuses %p", (name) => {
    expect(() => rlimitNumber(name)).toThrow(UsageError);
  });
});

describe("planRlimits()", () => {
  test.each([
    ["as many as the default", RLIM_INFINITY, { soft: 1024, hard: 1_048_576 }],
    ["fewer than the default", 20_000, { soft: 1024, hard: 20_000 }],
    ["fewer than the soft default", 512, { soft: 512, hard: 512 }],
  ])("limits open files by default where the host has %s", (_, hostHard, limits) => {
    const steps = planRlimits([], host({ limits: new Map([[NOFILE, { soft: 256, hard: hostHard }]]) }));

    expect(steps).toEqual([{ resource: NOFILE, name: "nofile", ...limits }]);
  });

  test("leaves every other limit alone", () => {
    expect(planRlimits([request({})], host({})).map(({ resource }) => resource)).toEqual([NOFILE]);
  });

  test("replaces the default by what is asked for", () => {
    expect(planRlimits([request({ soft: 64, hard: 128 })], host({}))).toEqual([
      { resource: NOFILE, name: "nofile", soft: 64, hard: 128 },
    ]);
  });

  test("takes the last of two requests for one limit", () => {
    const requests = [
      request({ name: "core", soft: 1, hard: 1 }),
      request({ name: "RLIMIT_CORE", soft: 0, hard: 0 }),
    ];

    expect(planRlimits(requests, host({}))).toContainEqual({
      resource: CORE,
      name: "core",
      soft: 0,
      hard: 0,
    });
  });

  test("refuses a hard limit above the host's without CAP_SYS_RESOURCE", () => {
    const limits = new Map([[NOFILE, { soft: 1024, hard: 20_000 }]]);

    expect(() => planRlimits([request({ soft: 1024, hard: 20_001 })], host({ limits }))).toThrow(
      'Cannot set ulimit "nofile=1024:20001": the host\'s hard limit is 20000 and may not be raised',
    );
    expect(() => planRlimits([request({ soft: 0, hard: RLIM_INFINITY })], host({ limits }))).toThrow(
      UsageError,
    );
    expect(planRlimits([request({ soft: 1024, hard: 20_000 })], host({ limits }))).toHaveLength(1);
  });

  test("raises a hard limit with CAP_SYS_RESOURCE", () => {
    const limits = new Map([[NOFILE, { soft: 1024, hard: 20_000 }]]);

    expect(
      planRlimits([request({ soft: 1024, hard: 30_000 })], host({ limits, mayRaise: true })),
    ).toHaveLength(1);
  });

  test("refuses more open files than the kernel allows, even with CAP_SYS_RESOURCE", () => {
    const mighty = host({ mayRaise: true, openFilesMax: 30_000 });

    expect(() => planRlimits([request({ soft: 1024, hard: 30_001 })], mighty)).toThrow(
      'Cannot set ulimit "nofile=1024:30001": the kernel allows at most 30000 open files',
    );
    expect(planRlimits([request({ soft: 1024, hard: 30_000 })], mighty)).toHaveLength(1);
    expect(planRlimits([request({ name: "nproc", soft: 0, hard: 30_001 })], mighty)).toHaveLength(2);
  });

  test.each([
    ["a soft limit above the hard one", { soft: 2, hard: 1 }],
    ["an unlimited soft limit under a hard one", { soft: RLIM_INFINITY, hard: 1 }],
    ["a fraction", { soft: 0.5, hard: 1 }],
    ["a negative limit", { soft: -2, hard: 1 }],
    ["what is not a number", { soft: Number.NaN, hard: 1 }],
  ])("refuses %s", (_, limits) => {
    expect(() => planRlimits([request(limits)], host({}))).toThrow(UsageError);
  });
});

function request(changes: Partial<RlimitRequest>): RlimitRequest {
  return { name: "nofile", soft: 1024, hard: 1024, ...changes };
}

function host(changes: Partial<HostRlimits>): HostRlimits {
  return { limits: new Map(), mayRaise: false, ...changes };
}
