import { describe, expect, test } from "bun:test";
import { UsageError } from "../../../../src/errors.ts";
import {
  ALL_CAPABILITIES,
  CAP_LAST_CAP,
  type CapabilityRequest,
  capabilityMask,
  capabilityNames,
  capabilityNumber,
  capabilityWords,
  DEFAULT_CAPABILITIES,
  planCapabilities,
} from "../../../../src/runtime/security/capability.ts";

const HEADER = "/usr/include/linux/capability.h";
const hasHeader = await Bun.file(HEADER).exists();

describe("capabilityNumber()", () => {
  test.each([
    ["CAP_CHOWN", 0],
    ["chown", 0],
    ["cap_Sys_Admin", 21],
    ["CHECKPOINT_RESTORE", 40],
  ])("takes %s in any case, with or without CAP_", (name, number) => {
    expect(capabilityNumber(name)).toBe(number);
  });

  test.skipIf(!hasHeader)(
    hasHeader
      ? "agrees with the kernel's header"
      : `skipped: ${HEADER} is missing: agrees with the kernel's header`,
    async () => {
      const header = await Bun.file(HEADER).text();
      const defined = [...header.matchAll(/^#define (CAP_[A-Z_]+)\s+(\d+)$/gm)];

      expect(defined.length).toBe(CAP_LAST_CAP + 1);
      for (const [, name = "", number] of defined) expect(capabilityNumber(name)).toBe(Number(number));
    },
  );

  test.each(["", "CAP_", "ALL", "NET_ADMI", "constructor", "CAP_CAP_CHOWN"])("refuses %p", (name) => {
    expect(() => capabilityNumber(name)).toThrow(UsageError);
  });

  test("suggests the name that was probably meant", () => {
    expect(hintOf(() => capabilityNumber("net_admn"))).toBe('Write "CAP_NET_ADMIN" if that was meant');
  });
});

describe("capabilityMask()", () => {
  test("sets one bit for each name", () => {
    expect(capabilityMask(["CHOWN", "CAP_BPF"])).toBe((1n << 39n) | 1n);
  });
});

describe("capabilityNames()", () => {
  test("names podman's eleven as the default", () => {
    expect(capabilityNames(DEFAULT_CAPABILITIES)).toEqual([
      "CAP_CHOWN",
      "CAP_DAC_OVERRIDE",
      "CAP_FOWNER",
      "CAP_FSETID",
      "CAP_KILL",
      "CAP_SETGID",
      "CAP_SETUID",
      "CAP_SETPCAP",
      "CAP_NET_BIND_SERVICE",
      "CAP_SYS_CHROOT",
      "CAP_SETFCAP",
    ]);
  });

  test("is the inverse of capabilityMask()", () => {
    expect(capabilityMask(capabilityNames(ALL_CAPABILITIES))).toBe(ALL_CAPABILITIES);
  });
});

describe("capabilityWords()", () => {
  test("splits a mask for capset, the low word first", () => {
    expect(capabilityWords((1n << 40n) | (1n << 31n) | 1n)).toEqual([0x8000_0001, 0x100]);
  });
});

describe("planCapabilities()", () => {
  test("gives the default when nothing is asked for", () => {
    expect(plan({})).toEqual({ bounding: DEFAULT_CAPABILITIES, withheld: 0n });
  });

  test.each([
    ["adds to the default", { add: ["NET_ADMIN"] }, DEFAULT_CAPABILITIES | mask("NET_ADMIN")],
    ["drops from the default", { drop: ["cap_chown"] }, DEFAULT_CAPABILITIES & ~mask("CHOWN")],
    ["drops all", { drop: ["all"] }, 0n],
    ["drops all but what is added", { add: ["KILL"], drop: ["ALL"] }, mask("KILL")],
    ["adds all", { add: ["ALL"] }, ALL_CAPABILITIES],
    [
      "adds all but what is dropped",
      { add: ["ALL"], drop: ["SYS_ADMIN"] },
      ALL_CAPABILITIES & ~mask("SYS_ADMIN"),
    ],
    ["adds after it drops", { add: ["CHOWN"], drop: ["CHOWN"] }, DEFAULT_CAPABILITIES],
    ["gives all when privileged", { privileged: true }, ALL_CAPABILITIES],
    [
      "gives all but what is dropped when privileged",
      { privileged: true, drop: ["MKNOD"] },
      ALL_CAPABILITIES & ~mask("MKNOD"),
    ],
  ] as const)("%s", (_, changes, bounding) => {
    expect(plan(changes)).toEqual({ bounding, withheld: 0n });
  });

  test.each([
    ["the default", {}],
    ["ALL", { add: ["ALL"] }],
    ["privileged", { privileged: true }],
  ] as const)("leaves out of %s what the host withholds, and says so", (_, changes) => {
    const hostBounding = ALL_CAPABILITIES & ~mask("KILL");

    const { bounding, withheld } = plan({ ...changes, hostBounding });

    expect(bounding & mask("KILL")).toBe(0n);
    expect(withheld).toBe(mask("KILL"));
  });

  test("refuses a capability that is added by name and that the host withholds", () => {
    const hostBounding = ALL_CAPABILITIES & ~mask("SYS_RESOURCE");

    expect(() => plan({ add: ["SYS_RESOURCE"], hostBounding })).toThrow(
      'Cannot add capability "CAP_SYS_RESOURCE": the host does not grant it to bunker',
    );
  });

  test("refuses an unknown name among the dropped", () => {
    expect(() => plan({ drop: ["NET_AMIN"] })).toThrow(UsageError);
  });
});

function plan(changes: Partial<CapabilityRequest>): ReturnType<typeof planCapabilities> {
  return planCapabilities({
    add: [],
    drop: [],
    privileged: false,
    hostBounding: ALL_CAPABILITIES,
    ...changes,
  });
}

function mask(name: string): bigint {
  return capabilityMask([name]);
}

function hintOf(action: () => unknown): string | undefined {
  try {
    action();
  } catch (error) {
    if (error instanceof UsageError) return error.hint;
    throw error;
  }
  return undefined;
}
