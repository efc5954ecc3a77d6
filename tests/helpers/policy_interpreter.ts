/**
 * Evaluates a policy as its definition reads (src/runtime/security/seccomp_policy.ts), one system call at a time
 * and without a thought for speed: what every compiled program is compared with.
 */

import { SECCOMP_ARCHES } from "../../src/runtime/security/seccomp_arch.ts";
import {
  type Condition,
  isPermissive,
  type Policy,
  type SeccompArchName,
  strictness,
} from "../../src/runtime/security/seccomp_policy.ts";
import type { SeccompData } from "./bpf_program.ts";

const KILL_PROCESS = 0x8000_0000;
const ERRNO_ENOSYS = 0x0005_0026;
/** Numbers that ARM has beside its table begin here. */
const ARM_PRIVATE = 0xf_0000;

/** Returns a function that gives the SECCOMP_RET_* value that `policy` means for one system call. */
export function interpreterOf(policy: Policy): (data: SeccompData) => number {
  const named = policy.architectures;
  const interpreters = new Map(named.map((name) => [name, archInterpreter(policy, name)]));
  return (data) => {
    const isX32 = data.arch === SECCOMP_ARCHES.X32.auditArch && data.nr >= SECCOMP_ARCHES.X32.base;
    if (isX32 && !named.includes("X32")) return named.includes("X86_64") ? ERRNO_ENOSYS : KILL_PROCESS;
    const name = named.find(
      (candidate) => SECCOMP_ARCHES[candidate].auditArch === data.arch && (candidate === "X32") === isX32,
    );
    return name === undefined ? KILL_PROCESS : (interpreters.get(name)?.(data) ?? KILL_PROCESS);
  };
}

function archInterpreter(policy: Policy, name: SeccompArchName): (data: SeccompData) => number {
  const { numbers, base, wide } = SECCOMP_ARCHES[name];
  const names = new Map(Object.entries(numbers).map(([call, number]) => [number + base, call]));
  const newest = base + Math.max(...Object.values(numbers).filter((number) => number < ARM_PRIVATE));
  return ({ nr, args }) => {
    const called = names.get(nr);
    if (called === undefined) {
      return nr > newest && !isPermissive(policy.defaultReturn) ? ERRNO_ENOSYS : policy.defaultReturn;
    }
    const matching = policy.rules.filter(
      (rule) =>
        rule.names.includes(called) &&
        rule.conditions.every((condition) => holds(condition, args[condition.index] ?? 0n, wide ? 64 : 32)),
    );
    const [strictest] = matching.toSorted((a, b) => strictness(a.ret) - strictness(b.ret));
    return strictest?.ret ?? policy.defaultReturn;
  };
}

function holds({ op, value, valueTwo }: Condition, argument: bigint, bits: number): boolean {
  const [a, b, c] = [argument, value, valueTwo].map((number) => BigInt.asUintN(bits, number)) as [
    bigint,
    bigint,
    bigint,
  ];
  switch (op) {
    case "eq":
      return a === b;
    case "ne":
      return a !== b;
    case "lt":
      return a < b;
    case "le":
      return a <= b;
    case "gt":
      return a > b;
    case "ge":
      return a >= b;
    case "masked_eq":
      return (a & b) === (c & b);
    case "masked_ne":
      return (a & b) !== (c & b);
  }
}
