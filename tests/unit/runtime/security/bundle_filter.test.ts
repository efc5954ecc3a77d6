import { describe, expect, test } from "bun:test";
import { bundleFilter } from "../../../../src/runtime/security/bundle_filter.ts";
import { readProgram, runProgram } from "../../../helpers/bpf_program.ts";

const X86_64 = 0xc000_003e;
const X32_READ = 0x4000_0000;
const ALLOW = 0x7fff_0000;
const ENOSYS = 0x5_0026;
const KILL_PROCESS = 0x8000_0000;
const NOTIFY = 0x7fc0_0000;

const read = (rule: object): object => ({
  defaultAction: "SCMP_ACT_ERRNO",
  syscalls: [{ names: ["read"], action: "SCMP_ACT_ALLOW", ...rule }],
});
const notifying = { ...read({ action: "SCMP_ACT_NOTIFY" }), listenerPath: "/run/agent" };

describe("bundleFilter()", () => {
  test.each([
    ["SCMP_ACT_KILL", 0],
    ["SCMP_ACT_KILL_THREAD", 0],
    ["SCMP_ACT_KILL_PROCESS", KILL_PROCESS],
    ["SCMP_ACT_TRAP", 0x3_0000],
    ["SCMP_ACT_TRACE", 0x7ff0_0001],
    ["SCMP_ACT_LOG", 0x7ffc_0000],
    ["SCMP_ACT_ALLOW", ALLOW],
  ])("compiles %s", (action, ret) => {
    expect(answer(read({ action }), 0)).toBe(ret);
  });

  test.each([
    ["SCMP_ACT_ERRNO", 0x5_0007],
    ["SCMP_ACT_TRACE", 0x7ff0_0007],
  ])("compiles %s with the number of its rule", (action, ret) => {
    expect(answer(read({ action, errnoRet: 7 }), 0)).toBe(ret);
  });

  test("compiles SCMP_ACT_NOTIFY with its listener", () => {
    const { listener, flags } = bundleFilter({ ...notifying, listenerMetadata: "m" });

    expect(answer(notifying, 0)).toBe(NOTIFY);
    expect(listener).toEqual({ path: "/run/agent", metadata: "m" });
    expect(flags & 8).toBe(8);
  });

  test("needs no listener when no rule notifies", () => {
    const { listener, flags } = bundleFilter({ ...read({}), listenerPath: "/run/agent", flags: [] });

    expect([listener, flags]).toEqual([undefined, 0]);
  });

  test("takes numbers that a double cannot hold", () => {
    const args = [{ index: 1, value: 0xffff_ffff_ffff_ffffn, op: "SCMP_CMP_EQ" }];

    expect(answer(read({ args }), 0, [0n, 0xffff_ffff_ffff_ffffn])).toBe(ALLOW);
    expect(answer(read({ args }), 0, [0n, 0xffff_ffffn])).toBe(0x5_0001);
  });

  test("decides the numbers of x32 when the profile names it, and refuses them otherwise", () => {
    const named = { ...read({}), architectures: ["SCMP_ARCH_X32"] };

    expect(answer(named, X32_READ)).toBe(ALLOW);
    expect(answer(read({}), X32_READ)).toBe(ENOSYS);
  });

  test("decides the calls of 32-bit ARM on arm64 when the profile names it", () => {
    const ARM = 0x4000_0028;
    const named = { ...read({}), architectures: ["SCMP_ARCH_ARM"] };
    const program = readProgram(bundleFilter(named, "AARCH64").filter);

    expect(runProgram(program, { nr: 3, arch: ARM, args: [] })).toBe(ALLOW);
    expect(runProgram(program, { nr: 0xf_0005, arch: ARM, args: [] })).toBe(0x5_0001);
    expect(runProgram(program, { nr: 0, arch: X86_64, args: [] })).toBe(KILL_PROCESS);
  });

  test("has nothing to do for architectures that this machine cannot run", () => {
    const foreign = { ...read({}), architectures: ["SCMP_ARCH_S390X", "SCMP_ARCH_RISCV64"] };

    expect(bundleFilter(foreign).filter).toEqual(bundleFilter(read({})).filter);
  });

  test.each([
    [undefined, 4],
    [[], 0],
    [["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC"], 3],
  ])("makes of the flags %j the bits %d", (flags, bits) => {
    expect(bundleFilter(flags === undefined ? read({}) : { ...read({}), flags }).flags).toBe(bits);
  });

  test("tells errors of TSYNC apart from the number of a listener", () => {
    const { flags } = bundleFilter({ ...notifying, flags: ["SECCOMP_FILTER_FLAG_TSYNC"] });

    expect(flags).toBe(0x01 | 0x08 | 0x10);
  });

  test.each([
    [{ ...read({}), flags: ["SECCOMP_FILTER_FLAG_NONE"] }, "flags[0]: "],
    [{ ...read({}), flags: ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"] }, "flags[0]: "],
    [{ ...read({}), architectures: ["SCMP_ARCH_Z80"] }, "architectures[0]: "],
    [{ ...read({}), archMap: [{ architecture: "SCMP_ARCH_X86_64" }] }, "archMap: "],
    [read({ includes: { caps: ["CAP_SYS_ADMIN"] } }), "syscalls[0].includes: "],
    [read({ excludes: { minKernel: "4.8" } }), "syscalls[0].excludes: "],
    [read({ action: "SCMP_ACT_NOTIFY" }), "syscalls[0].action: "],
    [{ defaultAction: "SCMP_ACT_NOTIFY" }, "defaultAction: "],
    [{ ...read({}), listenerMetadata: "m" }, "listenerMetadata: "],
    [read({ action: "SCMP_ACT_NONE" }), "syscalls[0].action: it is not one of"],
    [read({ args: [{ index: 6, value: 0, op: "SCMP_CMP_EQ" }] }), "syscalls[0].args[0].index: "],
  ])("refuses %j", (config, message) => {
    expect(() => bundleFilter(config)).toThrow(`linux.seccomp.${message}`);
  });
});

function answer(config: object, nr: number, args: readonly bigint[] = []): number {
  return runProgram(readProgram(bundleFilter(config, "X86_64").filter), { nr, arch: X86_64, args });
}
