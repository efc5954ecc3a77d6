import { describe, expect, test } from "bun:test";
import { capabilityMask, DEFAULT_CAPABILITIES } from "../../../../src/runtime/security/capability.ts";
import {
  ABSENT,
  ALLOWED,
  DECIDED_BY_ARGUMENT,
  defaultPolicy,
  GATED,
  gatingCapabilities,
  REFUSED,
  words,
} from "../../../../src/runtime/security/default_profile.ts";
import { SECCOMP_ARCHES } from "../../../../src/runtime/security/seccomp_arch.ts";
import { interpreterOf } from "../../../helpers/policy_interpreter.ts";

const X86_64 = 0xc000_003e;
const ALLOW = 0x7fff_0000;
const EPERM = 0x5_0001;
const ENOSYS = 0x5_0026;
const EPROTONOSUPPORT = 0x5_005d;
const EAFNOSUPPORT = 0x5_0061;
const HIGH_BIT = 1n << 40n;

const TABLES = [
  ...Object.values(ALLOWED),
  ...GATED.map(({ names }) => names),
  REFUSED,
  ABSENT,
  DECIDED_BY_ARGUMENT,
];

/** Architectures of images that bunker runs; the profile is for no other. */
const IMAGE_ARCHES = ["X86_64", "X86", "AARCH64"] as const;

describe("the tables of the default profile", () => {
  test("name every system call of every architecture", () => {
    const decided = new Set(TABLES.flatMap(words));
    const existing = IMAGE_ARCHES.flatMap((name) => Object.keys(SECCOMP_ARCHES[name].numbers));

    expect([...new Set(existing)].filter((name) => !decided.has(name))).toEqual([]);
  });

  test("name every system call once", () => {
    const names = TABLES.flatMap(words);

    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  test("name no system call that does not exist", () => {
    const existing = new Set(IMAGE_ARCHES.flatMap((name) => Object.keys(SECCOMP_ARCHES[name].numbers)));

    expect(TABLES.flatMap(words).filter((name) => !existing.has(name))).toEqual([]);
  });
});

describe("defaultPolicy()", () => {
  test.each([
    ["mount", EPERM],
    ["unshare", EPERM],
    ["setns", EPERM],
    ["keyctl", EPERM],
    ["bpf", EPERM],
    ["userfaultfd", EPERM],
    ["mbind", EPERM],
    ["modify_ldt", EPERM],
    ["io_uring_setup", ENOSYS],
    ["clone3", ENOSYS],
    ["execve", ALLOW],
    ["chroot", ALLOW],
    ["capset", ALLOW],
    ["fchmodat2", ALLOW],
  ])("decides %s with the default capabilities", (name, ret) => {
    expect(decide(name)).toBe(ret);
  });

  test.each([
    ["CAP_SYS_ADMIN", "mount"],
    ["CAP_SYS_ADMIN", "clone3"],
    ["CAP_SYS_ADMIN", "bpf"],
    ["CAP_BPF", "bpf"],
    ["CAP_SYS_BOOT", "reboot"],
    ["CAP_SYS_PTRACE", "pidfd_getfd"],
    ["CAP_SYS_NICE", "mbind"],
  ])("allows with %s the call %s", (capability, name) => {
    expect(decide(name, [], DEFAULT_CAPABILITIES | capabilityMask([capability]))).toBe(ALLOW);
  });

  test("refuses chroot without CAP_SYS_CHROOT", () => {
    expect(decide("chroot", [], 0n)).toBe(EPERM);
  });

  test.each([
    ["CLONE_NEWNS", 0x2_0000n],
    ["CLONE_NEWCGROUP", 0x200_0000n],
    ["CLONE_NEWUTS", 0x400_0000n],
    ["CLONE_NEWIPC", 0x800_0000n],
    ["CLONE_NEWUSER", 0x1000_0000n],
    ["CLONE_NEWPID", 0x2000_0000n],
    ["CLONE_NEWNET", 0x4000_0000n],
  ])("refuses clone with %s", (_, flag) => {
    expect(decide("clone", [flag | 17n])).toBe(EPERM);
    expect(decide("clone", [flag | HIGH_BIT])).toBe(EPERM);
  });

  test("allows clone for a process and for a thread", () => {
    expect(decide("clone", [17n])).toBe(ALLOW);
    expect(decide("clone", [0x3d0f00n])).toBe(ALLOW);
  });

  test.each([
    [0n, ALLOW],
    [0x8n, ALLOW],
    [0x2_0000n, ALLOW],
    [0x2_0008n, ALLOW],
    [0xffff_ffffn, ALLOW],
    [0x4_0000n, EPERM],
    [0x40_0000n, EPERM],
    [0xffff_fffen, EPERM],
    [HIGH_BIT, EPERM],
  ])("decides personality(%d)", (persona, ret) => {
    expect(decide("personality", [persona])).toBe(ret);
  });

  test.each([
    ["AF_INET", [2n, 1n, 0n], ALLOW],
    ["AF_NETLINK", [16n, 3n, 0n], ALLOW],
    ["AF_NETLINK audit", [16n, 3n, 9n], EPROTONOSUPPORT],
    ["AF_ALG", [38n, 5n, 0n], EAFNOSUPPORT],
    ["AF_ALG with a high bit, which the kernel does not see", [38n | HIGH_BIT, 5n, 0n], EAFNOSUPPORT],
    ["AF_VSOCK", [40n, 1n, 0n], EAFNOSUPPORT],
    ["AF_XDP", [44n, 3n, 0n], ALLOW],
  ])("decides a socket of %s", (_, args, ret) => {
    expect(decide("socket", args)).toBe(ret);
  });

  test("allows audit sockets with CAP_AUDIT_WRITE", () => {
    const capabilities = DEFAULT_CAPABILITIES | capabilityMask(["CAP_AUDIT_WRITE"]);

    expect(decide("socket", [16n, 3n, 9n], capabilities)).toBe(ALLOW);
  });

  test("refuses to put characters into a terminal's input", () => {
    expect(decide("ioctl", [0n, 0x5412n])).toBe(EPERM);
    expect(decide("ioctl", [0n, 0x5412n | HIGH_BIT])).toBe(EPERM);
    expect(decide("ioctl", [0n, 0x541cn])).toBe(EPERM);
    expect(decide("ioctl", [0n, 0x5413n])).toBe(ALLOW);
  });

  test("allows modify_ldt where 32-bit programs run", () => {
    const both = defaultPolicy({ capabilities: DEFAULT_CAPABILITIES, architectures: ["X86_64", "X86"] });

    expect(interpreterOf(both)({ nr: 123, arch: 0x4000_0003, args: [] })).toBe(ALLOW);
  });
});

describe("gatingCapabilities()", () => {
  test("holds every capability that changes the default policy", () => {
    const gating = gatingCapabilities();
    const policyWith = (capabilities: bigint): string =>
      JSON.stringify(defaultPolicy({ capabilities, architectures: ["X86_64"] }), (_key, value: unknown) =>
        typeof value === "bigint" ? `${value}` : value,
      );

    for (let number = 0n; number <= 40n; number++) {
      const changes = policyWith(0n) !== policyWith(1n << number);
      expect({ number, changes }).toEqual({ number, changes: ((gating >> number) & 1n) === 1n });
    }
  });
});

function decide(name: string, args: readonly bigint[] = [], capabilities = DEFAULT_CAPABILITIES): number {
  const nr = SECCOMP_ARCHES.X86_64.numbers[name] ?? -1;
  return interpreterOf(defaultPolicy({ capabilities, architectures: ["X86_64"] }))({
    nr,
    arch: X86_64,
    args,
  });
}
