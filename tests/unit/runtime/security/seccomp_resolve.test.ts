import { describe, expect, test } from "bun:test";
import { capabilityMask } from "../../../../src/runtime/security/capability.ts";
import type { Policy } from "../../../../src/runtime/security/seccomp_policy.ts";
import { parseSeccompProfile } from "../../../../src/runtime/security/seccomp_profile.ts";
import {
  type ResolveContext,
  resolveProfile,
  seccompFlags,
} from "../../../../src/runtime/security/seccomp_resolve.ts";

const ALLOW = 0x7fff_0000;
const EPERM = 0x5_0001;

describe("resolveProfile()", () => {
  test("gives EPERM for SCMP_ACT_ERRNO without a number", () => {
    expect(resolve({ defaultAction: "SCMP_ACT_ERRNO" }).defaultReturn).toBe(EPERM);
  });

  test.each([
    ["SCMP_ACT_KILL", 0],
    ["SCMP_ACT_KILL_THREAD", 0],
    ["SCMP_ACT_KILL_PROCESS", 0x8000_0000],
    ["SCMP_ACT_TRAP", 0x3_0000],
    ["SCMP_ACT_ERRNO", 0x5_0007],
    ["SCMP_ACT_TRACE", 0x7ff0_0007],
    ["SCMP_ACT_LOG", 0x7ffc_0000],
    ["SCMP_ACT_NOTIFY", 0x7fc0_0000],
  ])("translates %s", (action, ret) => {
    const { rules } = resolve({ syscalls: [{ names: ["read"], action, errnoRet: 7 }] });

    expect(rules).toEqual([{ names: ["read"], ret, conditions: [] }]);
  });

  test("drops a rule whose action is the default", () => {
    expect(resolve({ syscalls: [{ names: ["read"], action: "SCMP_ACT_ALLOW" }] }).rules).toEqual([]);
  });

  test("joins conditions on different arguments by and", () => {
    const { rules } = resolve({
      syscalls: [rule({ args: [arg(0, "SCMP_CMP_EQ", 1), arg(1, "SCMP_CMP_LT", 2)] })],
    });

    expect(rules).toHaveLength(1);
    expect(rules[0]?.conditions.map(({ index, op }) => [index, op])).toEqual([
      [0, "eq"],
      [1, "lt"],
    ]);
  });

  test("joins conditions on the same argument by or, as runc does", () => {
    const { rules } = resolve({
      syscalls: [rule({ args: [arg(0, "SCMP_CMP_NE", 38), arg(0, "SCMP_CMP_NE", 40)] })],
    });

    expect(rules.map(({ conditions }) => conditions.map(({ value }) => value))).toEqual([[38n], [40n]]);
  });

  test.each([
    ["includes a capability that is held", { includes: { caps: ["CAP_BPF"] } }, true],
    ["includes a capability that is not held", { includes: { caps: ["CAP_SYS_ADMIN"] } }, false],
    ["includes two of which one is held", { includes: { caps: ["CAP_BPF", "CAP_SYS_ADMIN"] } }, false],
    ["excludes a capability that is held", { excludes: { caps: ["CAP_SYS_ADMIN", "CAP_BPF"] } }, false],
    ["excludes a capability that is not held", { excludes: { caps: ["CAP_SYS_ADMIN"] } }, true],
    ["includes a capability that Linux lacks", { includes: { caps: ["CAP_FUTURE"] } }, false],
    ["includes this architecture", { includes: { arches: ["arm64", "amd64"] } }, true],
    ["includes another architecture", { includes: { arches: ["arm64"] } }, false],
    ["excludes this architecture", { excludes: { arches: ["amd64"] } }, false],
    ["includes an older kernel", { includes: { minKernel: "4.8" } }, true],
    ["includes this kernel", { includes: { minKernel: "6.9" } }, true],
    ["includes a newer kernel", { includes: { minKernel: "6.10" } }, false],
    ["excludes an older kernel", { excludes: { minKernel: "4.8" } }, false],
  ])("decides by what a rule %s", (_, gates, applies) => {
    expect(resolve({ syscalls: [rule(gates)] }).rules).toHaveLength(applies ? 1 : 0);
  });

  test.each([
    ["nothing is named", {}, "amd64", ["X86_64"]],
    ["only a foreign one is named", { architectures: ["SCMP_ARCH_ARM"] }, "amd64", ["X86_64"]],
    [
      "the 32-bit one is named",
      { architectures: ["SCMP_ARCH_X86", "SCMP_ARCH_X32"] },
      "amd64",
      ["X86_64", "X86"],
    ],
    ["docker's map names it", archMap("SCMP_ARCH_X86_64", "SCMP_ARCH_X86"), "amd64", ["X86_64", "X86"]],
    ["docker's map names it for another", archMap("SCMP_ARCH_AARCH64", "SCMP_ARCH_X86"), "amd64", ["X86_64"]],
    ["the image is for 386", {}, "386", ["X86_64", "X86"]],
    ["the machine is arm64", { architectures: ["SCMP_ARCH_X86_64"] }, "arm64", ["AARCH64"]],
  ] as const)("confines the right architectures when %s", (_, changes, arch, architectures) => {
    expect(resolve(changes, { arch }).architectures).toEqual([...architectures]);
  });

  test("counts the first of two rules without conditions for one call, as libseccomp does", () => {
    const { rules } = resolve({
      defaultAction: "SCMP_ACT_KILL",
      syscalls: [
        { names: ["setns"], action: "SCMP_ACT_ALLOW" },
        { names: ["setns", "bpf"], action: "SCMP_ACT_ERRNO" },
      ],
    });

    expect(rules.map(({ names, ret }) => [ret, names])).toEqual([
      [ALLOW, ["setns"]],
      [EPERM, ["bpf"]],
    ]);
  });

  test("keeps an allowing rule apart from a refusing default", () => {
    const { defaultReturn, rules } = resolve({
      defaultAction: "SCMP_ACT_ERRNO",
      syscalls: [{ names: ["read"], action: "SCMP_ACT_ALLOW" }],
    });

    expect({ defaultReturn, ret: rules[0]?.ret }).toEqual({ defaultReturn: EPERM, ret: ALLOW });
  });
});

describe("seccompFlags()", () => {
  test("adds up the flags that bunker knows", () => {
    const flags = [
      "SECCOMP_FILTER_FLAG_LOG",
      "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
      "SECCOMP_FILTER_FLAG_FUTURE",
      "toString",
    ];

    expect(seccompFlags({ flags })).toBe(6);
  });
});

function resolve(changes: object, context: Partial<ResolveContext> = {}): Policy {
  return resolveProfile(parseSeccompProfile({ defaultAction: "SCMP_ACT_ALLOW", ...changes }), {
    capabilities: capabilityMask(["CAP_BPF"]),
    arch: "amd64",
    kernel: { major: 6, minor: 9 },
    ...context,
  });
}

function rule(changes: object): object {
  return { names: ["socket"], action: "SCMP_ACT_ERRNO", ...changes };
}

function arg(index: number, op: string, value: number): object {
  return { index, op, value };
}

function archMap(architecture: string, ...subArchitectures: string[]): object {
  return { archMap: [{ architecture, subArchitectures }] };
}
