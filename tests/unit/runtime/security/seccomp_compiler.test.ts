import { describe, expect, test } from "bun:test";
import { DEFAULT_CAPABILITIES } from "../../../../src/runtime/security/capability.ts";
import { defaultPolicy } from "../../../../src/runtime/security/default_profile.ts";
import { SECCOMP_ARCHES } from "../../../../src/runtime/security/seccomp_arch.ts";
import { compilePolicy } from "../../../../src/runtime/security/seccomp_compiler.ts";
import type { Condition, Policy, SeccompArchName } from "../../../../src/runtime/security/seccomp_policy.ts";
import { readProgram, runProgram } from "../../../helpers/bpf_program.ts";
import { interpreterOf } from "../../../helpers/policy_interpreter.ts";
import { probesOf, randomPolicy, seededRandom } from "../../../helpers/random_policy.ts";

const ALLOW = 0x7fff_0000;
const KILL_PROCESS = 0x8000_0000;
const EPERM = 0x5_0001;
const EACCES = 0x5_000d;
const ENOSYS = 0x5_0026;
const X86_64 = 0xc000_003e;
const I386 = 0x4000_0003;

const ARCH_SETS: readonly (readonly SeccompArchName[])[] = [
  ["X86_64"],
  ["AARCH64"],
  ["X86_64", "X86"],
  ["X86_64", "X32"],
  ["AARCH64", "ARM"],
];

describe("compilePolicy()", () => {
  test("kills a process that makes a system call of another architecture", () => {
    const program = readProgram(compilePolicy(policy({ defaultReturn: ALLOW })));

    expect(runProgram(program, { nr: 0, arch: I386, args: [] })).toBe(KILL_PROCESS);
  });

  test("answers ENOSYS to every number of the x32 ABI, whatever the default", () => {
    const program = readProgram(compilePolicy(policy({ defaultReturn: ALLOW })));

    for (const nr of [0x4000_0000, 0x4000_0001, 0x8000_0000, 0xffff_ffff]) {
      expect(runProgram(program, { nr, arch: X86_64, args: [] })).toBe(ENOSYS);
    }
  });

  test("answers ENOSYS to numbers newer than the table when the default refuses", () => {
    const program = readProgram(compilePolicy(policy({ defaultReturn: EPERM })));

    expect(runProgram(program, { nr: 469, arch: X86_64, args: [] })).toBe(EPERM);
    expect(runProgram(program, { nr: 470, arch: X86_64, args: [] })).toBe(ENOSYS);
  });

  test("leaves numbers newer than the table to a default that allows", () => {
    const program = readProgram(compilePolicy(policy({ defaultReturn: ALLOW })));

    expect(runProgram(program, { nr: 470, arch: X86_64, args: [] })).toBe(ALLOW);
  });

  test("skips names that the architecture lacks", () => {
    const rules = [{ names: ["no_such_call", "constructor", "socketcall"], ret: ALLOW, conditions: [] }];

    const program = readProgram(compilePolicy(policy({ defaultReturn: EPERM, rules })));

    expect(program.filter(({ code, k }) => code === 0x06 && k === ALLOW)).toHaveLength(0);
  });

  test("gives the strictest of several actions, in whatever order they stand", () => {
    const allow = { names: ["socket"], ret: ALLOW, conditions: [] };
    const refuse = { names: ["socket"], ret: EPERM, conditions: [condition({ value: 38n })] };

    for (const rules of [
      [allow, refuse],
      [refuse, allow],
    ]) {
      const program = readProgram(compilePolicy(policy({ defaultReturn: ENOSYS, rules })));
      expect(runProgram(program, { nr: 41, arch: X86_64, args: [38n] })).toBe(EPERM);
      expect(runProgram(program, { nr: 41, arch: X86_64, args: [2n] })).toBe(ALLOW);
    }
  });

  test("gives the first of several errnos", () => {
    const rules = [EACCES, EPERM].map((ret) => ({ names: ["read"], ret, conditions: [] }));

    const program = readProgram(compilePolicy(policy({ defaultReturn: ALLOW, rules })));

    expect(runProgram(program, { nr: 0, arch: X86_64, args: [] })).toBe(EACCES);
  });

  test("compares only the low words of arguments on 32-bit x86", () => {
    const rules = [
      { names: ["personality"], ret: ALLOW, conditions: [condition({ value: 0xffff_ffff_0000_0008n })] },
    ];
    const both = policy({ defaultReturn: EPERM, rules, architectures: ["X86_64", "X86"] });

    const program = readProgram(compilePolicy(both));

    expect(runProgram(program, { nr: 136, arch: I386, args: [8n] })).toBe(ALLOW);
    expect(runProgram(program, { nr: 135, arch: X86_64, args: [8n] })).toBe(EPERM);
  });

  test("spends fewer than 120 instructions on the default profile", () => {
    const native = defaultPolicy({ capabilities: DEFAULT_CAPABILITIES, architectures: ["X86_64"] });

    expect(compilePolicy(native).length / 8).toBeLessThan(120);
  });

  test("refuses a program that is longer than the kernel takes", () => {
    const names = Object.keys(SECCOMP_ARCHES.X86_64.numbers);
    const rules = names.flatMap((name, index) =>
      [0, 1, 2, 3].map((argument) => ({
        names: [name],
        ret: EPERM,
        conditions: [condition({ index: argument, value: BigInt(index) })],
      })),
    );

    expect(() => compilePolicy(policy({ defaultReturn: ALLOW, rules }))).toThrow(
      /^Cannot compile seccomp profile: \d+ instructions, the kernel takes 4096$/,
    );
  });

  test("bridges jumps that are longer than 255 instructions", () => {
    const names = Object.keys(SECCOMP_ARCHES.X86_64.numbers);
    const rules = names.map((name, index) => ({
      names: [name],
      ret: 0x5_0000 | (index + 1),
      conditions: [condition({ value: BigInt(index), op: "gt" })],
    }));
    const long = policy({ defaultReturn: ALLOW, rules });

    const program = readProgram(compilePolicy(long));

    expect(program.length).toBeGreaterThan(2000);
    expectSame(long, [0, 1, 100, 200, 334, 424, 469]);
  });

  test.each(ARCH_SETS.map((architectures) => [architectures.join(" + "), architectures] as const))(
    "means the same as the interpreter for 25 random policies on %s",
    (_, architectures) => {
      const random = seededRandom(20_261_123);
      for (let count = 0; count < 25; count++) {
        const subject = randomPolicy(random, architectures);

        expectSame(subject, numbersToProbe(subject));
      }
    },
  );
});

function policy(changes: Partial<Policy>): Policy {
  return { defaultReturn: EPERM, rules: [], architectures: ["X86_64"], ...changes };
}

function condition(changes: Partial<Condition>): Condition {
  return { index: 0, op: "eq", value: 0n, valueTwo: 0n, ...changes };
}

/** The numbers that rules with conditions name, their neighbours, and the ends of the table. */
function numbersToProbe({ rules, architectures }: Policy): number[] {
  const named = rules
    .filter(({ conditions }) => conditions.length > 0)
    .flatMap(({ names }) => architectures.flatMap((arch) => names.map((name) => numberOf(name, arch))))
    .filter((number) => number !== undefined)
    .slice(0, 24);
  return [...new Set([...named.flatMap((nr) => [nr, nr + 1]), 0, 423, 469, 470, 600, ...ENDS])];
}

/** Around the numbers of ARM beside its table, and of the x32 ABI. */
const ENDS = [0xf_0000, 0xf_0002, 0xf_0005, 0xf_0007, 0x4000_0000, 0x4000_0200, 0x4000_0223, 0x4000_0224];

function numberOf(name: string, arch: SeccompArchName): number | undefined {
  const { numbers, base } = SECCOMP_ARCHES[arch];
  const number = numbers[name];
  return number === undefined ? undefined : number + base;
}

/** Fails with the first system call that the program and the interpreter decide differently. */
function expectSame(subject: Policy, numbers: readonly number[]): void {
  const program = readProgram(compilePolicy(subject));
  const evaluate = interpreterOf(subject);
  const arches = [...subject.architectures.map((arch) => SECCOMP_ARCHES[arch].auditArch), 0x1234];
  for (const arch of arches) {
    for (const probe of numbers.flatMap((nr) => probesOf(subject, { nr, arch }).slice(0, 120))) {
      const ret = runProgram(program, probe);
      const wanted = evaluate(probe);
      if (ret !== wanted) expect({ probe, ret }).toEqual({ probe, ret: wanted });
    }
  }
}
