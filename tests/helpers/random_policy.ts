/** Random but repeatable seccomp policies and the system calls that tell right from wrong compilations of them. */

import { SECCOMP_ARCHES } from "../../src/runtime/security/seccomp_arch.ts";
import type {
  Comparison,
  Condition,
  Policy,
  PolicyRule,
  SeccompArchName,
} from "../../src/runtime/security/seccomp_policy.ts";
import type { SeccompData } from "./bpf_program.ts";

/** A generator of numbers from 0 up to, not including, `below`. */
export type Random = (below: number) => number;

/** Values at which comparisons of 64 bits by 32-bit words go wrong, if they do. */
export const EDGE_VALUES: readonly bigint[] = [
  0n,
  1n,
  2n,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_fffen,
  0xffff_ffffn,
  0x1_0000_0000n,
  0x1_0000_0001n,
  0x1_ffff_ffffn,
  0x2_0000_0001n,
  0x7fff_ffff_ffff_ffffn,
  0x8000_0000_0000_0000n,
  0xffff_ffff_0000_0000n,
  0xffff_ffff_ffff_ffffn,
];

/** xorshift32: repeatable, which is all that is asked of it. */
export function seededRandom(seed: number): Random {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** One of `choices`. */
export function pick<Choice>(random: Random, choices: readonly Choice[]): Choice {
  return choices[random(choices.length)] as Choice;
}

/** A condition on argument `index`. */
export function randomCondition(random: Random, index: number, ops: readonly Comparison[]): Condition {
  const mask = pick(random, EDGE_VALUES);
  // Half of the masked values can be met; the others have bits that the mask lacks.
  const datum = random(2) === 0 ? pick(random, EDGE_VALUES) & mask : pick(random, EDGE_VALUES);
  return { index, op: pick(random, ops), value: mask, valueTwo: datum };
}

/** Conditions on up to `most` different arguments. */
export function randomConditions(random: Random, most: number, ops: readonly Comparison[]): Condition[] {
  const indexes = [0, 1, 2, 3, 4, 5].filter(() => random(2) === 0).slice(0, most);
  return indexes.map((index) => randomCondition(random, index, ops));
}

const RETURNS = [0x8000_0000, 0, 0x3_0000, 0x5_0001, 0x5_0016, 0x7ff0_0001, 0x7ffc_0000, 0x7fff_0000];
const OPS: readonly Comparison[] = ["ne", "lt", "le", "eq", "ge", "gt", "masked_eq", "masked_ne"];

/** A policy whose rules overlap as they like. */
export function randomPolicy(random: Random, architectures: readonly SeccompArchName[]): Policy {
  const names = architectures.flatMap((name) => Object.keys(SECCOMP_ARCHES[name].numbers));
  const rules: PolicyRule[] = Array.from({ length: random(40) }, () => ({
    names: Array.from({ length: 1 + random(12) }, () => pick(random, names)),
    ret: pick(random, RETURNS),
    conditions: randomConditions(random, 3, OPS),
  }));
  return { defaultReturn: pick(random, RETURNS), rules, architectures };
}

/** System calls with `nr`: one for each edge value and each value of a rule, plus and minus one, in each argument. */
export function probesOf(
  policy: Policy,
  { nr, arch }: { readonly nr: number; readonly arch: number },
): SeccompData[] {
  const conditions = policy.rules.flatMap((rule) => rule.conditions);
  const own = conditions.flatMap(({ value, valueTwo }) => [value - 1n, value, value + 1n, valueTwo]);
  const values = [...new Set([...EDGE_VALUES, ...own].map((value) => BigInt.asUintN(64, value)))];
  return values.flatMap((value) => [
    { nr, arch, args: [value, value, value, value, value, value] },
    { nr, arch, args: [value, 0n, 1n, value, 0n, 1n] },
    { nr, arch, args: [0n, value, value, 1n, value, value] },
  ]);
}
