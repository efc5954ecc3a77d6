import { describe, expect, test } from "bun:test";
import {
  parseKernelVersion,
  parseSeccompProfile,
  parseSeccompText,
} from "../../../../src/runtime/security/seccomp_profile.ts";

describe("parseSeccompProfile()", () => {
  test("reads the runtime-spec's form", () => {
    const profile = parseSeccompProfile({
      defaultAction: "SCMP_ACT_ERRNO",
      defaultErrnoRet: 38,
      architectures: ["SCMP_ARCH_X86_64"],
      flags: ["SECCOMP_FILTER_FLAG_LOG"],
      listenerPath: "/run/agent",
      syscalls: [
        { names: ["read"], action: "SCMP_ACT_ALLOW", args: [{ index: 1, value: 2, op: "SCMP_CMP_GT" }] },
      ],
    });

    expect(profile).toEqual({
      defaultAction: "SCMP_ACT_ERRNO",
      defaultErrnoRet: 38,
      architectures: ["SCMP_ARCH_X86_64"],
      archMap: [],
      flags: ["SECCOMP_FILTER_FLAG_LOG"],
      listenerPath: "/run/agent",
      listenerMetadata: undefined,
      syscalls: [
        {
          names: ["read"],
          action: "SCMP_ACT_ALLOW",
          errnoRet: undefined,
          args: [{ index: 1, value: 2n, valueTwo: 0n, op: "SCMP_CMP_GT" }],
          includes: { caps: [], arches: [], minKernel: undefined },
          excludes: { caps: [], arches: [], minKernel: undefined },
        },
      ],
    });
  });

  test("reads docker's form", () => {
    const { archMap, syscalls } = parseSeccompProfile({
      defaultAction: "SCMP_ACT_ERRNO",
      archMap: [{ architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86"] }],
      syscalls: [
        {
          name: "ptrace",
          action: "SCMP_ACT_ALLOW",
          args: null,
          comment: "debuggers",
          includes: { minKernel: "4.8", arches: ["amd64"] },
          excludes: { caps: ["CAP_SYS_PTRACE"] },
        },
      ],
    });

    expect(archMap).toEqual([{ architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86"] }]);
    expect(syscalls).toEqual([
      {
        names: ["ptrace"],
        action: "SCMP_ACT_ALLOW",
        errnoRet: undefined,
        args: [],
        includes: { caps: [], arches: ["amd64"], minKernel: { major: 4, minor: 8 } },
        excludes: { caps: ["CAP_SYS_PTRACE"], arches: [], minKernel: undefined },
      },
    ]);
  });

  test.each(
    [
      [null, "its top level is not an object"],
      [[], "its top level is not an object"],
      [{}, '"defaultAction" is not one of SCMP_ACT_KILL'],
      [{ defaultAction: "SCMP_ACT_NOTHING" }, '"defaultAction" is not one of'],
      [profileWith({ defaultErrnoRet: 4096 }), '"defaultErrnoRet" is not a whole number from 0 to 4095'],
      [profileWith({ syscalls: {} }), '"syscalls" is not an array'],
      [profileWith({ flags: [7] }), '"flags[0]" is not a string'],
      [
        profileWith({ architectures: ["SCMP_ARCH_X86"], archMap: [{ architecture: "SCMP_ARCH_X86_64" }] }),
        '"archMap" is not allowed besides "architectures"',
      ],
      [
        profileWith({ defaultErrno: "ENOSYS" }),
        '"defaultErrno" is not enough: give the number as "defaultErrnoRet"',
      ],
      [ruleWith({ names: [] }), '"syscalls[0].names" is not a list of system calls'],
      [ruleWith({ name: "write" }), '"syscalls[0].name" is not allowed besides "names"'],
      [ruleWith({ action: undefined }), '"syscalls[0].action" is not one of'],
      [ruleWith({ errno: "EINVAL" }), '"syscalls[0].errno" is not enough'],
      [ruleWith({ includes: { minKernel: "new" } }), 'Cannot parse kernel version "new"'],
      [ruleWith({ excludes: { caps: "ALL" } }), '"syscalls[0].excludes.caps" is not an array'],
      [argWith({ index: 6 }), '"syscalls[0].args[0].index" is not a whole number from 0 to 5'],
      [argWith({ index: undefined }), '"syscalls[0].args[0].index" is not a whole number'],
      [
        argWith({ value: -1 }),
        '"syscalls[0].args[0].value" is not a whole number from 0 to 18446744073709551615',
      ],
      [argWith({ value: 1.5 }), '"syscalls[0].args[0].value" is not a whole number'],
      [argWith({ value: 2 ** 60 }), '"syscalls[0].args[0].value" is not a whole number'],
      [argWith({ value: 1n << 64n }), '"syscalls[0].args[0].value" is not a whole number'],
      [argWith({ op: "==" }), '"syscalls[0].args[0].op" is not one of SCMP_CMP_NE'],
      [profileWith({ flags: new Array(4097).fill("a") }), '"flags" is not at most 4096 elements'],
    ].map(([json, message]) => ({ json, message: String(message) })),
  )("names the place: $message", ({ json, message }) => {
    expect(() => parseSeccompProfile(json)).toThrow(SyntaxError);
    expect(() => parseSeccompProfile(json)).toThrow(message);
  });
});

describe("parseSeccompText()", () => {
  test("keeps numbers of 64 bits exact", () => {
    const text = JSON.stringify(argWith({ value: "VALUE" })).replace('"VALUE"', "18446744073709551615");

    expect(parseSeccompText(text).syscalls[0]?.args[0]?.value).toBe(0xffff_ffff_ffff_ffffn);
  });

  test("refuses a fraction that no double holds", () => {
    const text = JSON.stringify(argWith({ value: "VALUE" })).replace('"VALUE"', "1e300");

    expect(() => parseSeccompText(text)).toThrow('"syscalls[0].args[0].value" is not a whole number');
  });

  test("refuses what is not JSON", () => {
    expect(() => parseSeccompText("{")).toThrow("Cannot parse seccomp profile: it is not JSON");
  });

  test("refuses a text above the limit before it is parsed", () => {
    expect(() => parseSeccompText(" ".repeat(1_048_577))).toThrow("it is longer than 1048576 characters");
  });

  test("does not take inherited properties for members", () => {
    const text = '{"defaultAction":"SCMP_ACT_ALLOW","__proto__":{"flags":["x"]}}';

    expect(parseSeccompText(text).flags).toEqual([]);
  });
});

describe("parseKernelVersion()", () => {
  test.each([
    ["4.8", { major: 4, minor: 8 }],
    ["6.18.44-generic", { major: 6, minor: 18 }],
    ["5.10-rc1", { major: 5, minor: 10 }],
  ])("reads %s", (release, version) => {
    expect(parseKernelVersion(release)).toEqual(version);
  });

  test.each(["", "6", "6.", "v6.1", "6.123456"])("refuses %p", (release) => {
    expect(() => parseKernelVersion(release)).toThrow(SyntaxError);
  });
});

function profileWith(changes: object): object {
  return { defaultAction: "SCMP_ACT_ALLOW", ...changes };
}

function ruleWith(changes: object): object {
  return profileWith({ syscalls: [{ names: ["read"], action: "SCMP_ACT_ERRNO", ...changes }] });
}

function argWith(changes: object): object {
  return ruleWith({ args: [{ index: 0, value: 0, op: "SCMP_CMP_EQ", ...changes }] });
}
