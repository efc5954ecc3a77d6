/** Compiled filters against libseccomp's for the same policy: every probe must end the same way. */

import { describe, expect, test } from "bun:test";
import { DEFAULT_CAPABILITIES } from "../../src/runtime/security/capability.ts";
import { defaultPolicy } from "../../src/runtime/security/default_profile.ts";
import { SECCOMP_ARCHES } from "../../src/runtime/security/seccomp_arch.ts";
import { compilePolicy } from "../../src/runtime/security/seccomp_compiler.ts";
import {
  type Comparison,
  type PolicyRule,
  type SeccompArchName,
  strictness,
} from "../../src/runtime/security/seccomp_policy.ts";
import { type Instruction, readProgram, runProgram, type SeccompData } from "../helpers/bpf_program.ts";
import { compileWithLibseccomp, libseccompMissing, type OraclePolicy } from "../helpers/libseccomp.ts";
import { pick, probesOf, type Random, randomConditions, seededRandom } from "../helpers/random_policy.ts";

const missing = libseccompMissing();
const title = (text: string): string => (missing === undefined ? text : `skipped: ${missing}: ${text}`);

/** Newest number that every libseccomp since 2.5.4 has in its tables: process_mrelease. */
const ORACLE_NEWEST = 448;
/** Younger than the library, or (the last) of another name there. */
const UNKNOWN_TO_ORACLE = ["uprobe", "uretprobe", "sync_file_range2"];
/** libseccomp lets rules for socket, semget … decide about these too, by their first argument. */
const MULTIPLEXED = ["socketcall", "ipc"];
const POLICIES_PER_ARCH = 200;
/** With the policies of each: a thousand. */
const ARCHES: readonly SeccompArchName[] = ["X86_64", "AARCH64", "X86", "X32", "ARM"];
const IMAGE_ARCHES: readonly SeccompArchName[] = ["X86_64", "AARCH64", "X86"];
const OPS: readonly Comparison[] = ["ne", "lt", "le", "eq", "ge", "gt", "masked_eq"];
const RETURNS = [0x8000_0000, 0x3_0000, 0x5_0001, 0x5_0016, 0x7ff0_0001, 0x7ffc_0000, 0x7fff_0000];
const ALLOW = 0x7fff_0000;

describe("compilePolicy()", () => {
  test.skipIf(missing !== undefined).each(ARCHES)(
    title("decides as libseccomp does for random policies on %s"),
    async (arch) => {
      const random = seededRandom(2026);
      const policies = Array.from({ length: POLICIES_PER_ARCH }, () => randomOraclePolicy(random, arch));

      const references = await compileWithLibseccomp(policies);

      policies.forEach((policy, index) => {
        const program = readProgram(compilePolicy({ ...policy, architectures: withNative(arch) }));
        expectSame(ruleProbes(policy), [program, references[index] ?? []]);
      });
    },
    60_000,
  );

  test.skipIf(missing !== undefined).each(IMAGE_ARCHES)(
    title("decides as libseccomp does for the default profile on %s"),
    async (arch) => {
      const { rules, defaultReturn } = defaultPolicy({
        capabilities: DEFAULT_CAPABILITIES,
        architectures: [arch],
      });
      const known = rules.flatMap((rule) => oldRules(rule, arch));
      const program = readProgram(compilePolicy({ rules: known, defaultReturn, architectures: [arch] }));

      // libseccomp takes no overlapping rules; the kernel lets the strictest of several filters win, as a policy
      // does of its rules, so each rule with conditions becomes a filter of its own.
      const references = await compileWithLibseccomp([
        { arch, defaultReturn, rules: withoutDefault(unconditional(known), defaultReturn) },
        ...known.flatMap((rule) => conditionalFilters(rule, arch)),
      ]);

      const auditArch = SECCOMP_ARCHES[arch].auditArch;
      for (let nr = 0; nr <= ORACLE_NEWEST; nr++) {
        // For 32-bit x86 libseccomp lets a rule for socket decide all of socketcall, whatever the family.
        if (nr === SECCOMP_ARCHES[arch].numbers["socketcall"]) continue;
        for (const probe of probesOf(
          { rules: known, defaultReturn, architectures: [arch] },
          { nr, arch: auditArch },
        )) {
          const wanted = references
            .map((reference) => runProgram(reference, probe))
            .toSorted(byStrictness)[0];
          const ret = runProgram(program, probe);
          if (ret !== wanted) expect({ probe, ret }).toEqual({ probe, ret: wanted ?? -1 });
        }
      }
    },
    60_000,
  );
});

/** A policy that libseccomp can express: no call has two actions, rules for one call do not overlap. */
function randomOraclePolicy(random: Random, arch: SeccompArchName): OraclePolicy {
  const defaultReturn = pick(random, RETURNS);
  const candidates = oldNames(arch).filter((name) => !MULTIPLEXED.includes(name));
  const names = new Set(Array.from({ length: 30 }, () => pick(random, candidates)));
  const rules = [...names].flatMap((name) => {
    const ret = pick(
      random,
      RETURNS.filter((candidate) => candidate !== defaultReturn),
    );
    return random(4) === 0 ? choiceRules(random, { name, ret }) : [oneRule(random, { name, ret })];
  });
  return { arch, defaultReturn, rules };
}

function oneRule(random: Random, { name, ret }: { readonly name: string; readonly ret: number }): PolicyRule {
  return { names: [name], ret, conditions: randomConditions(random, 3, OPS) };
}

/** Several values of one argument, each in a rule of its own. */
function choiceRules(
  random: Random,
  { name, ret }: { readonly name: string; readonly ret: number },
): PolicyRule[] {
  const index = random(6);
  const values = Array.from({ length: 2 + random(4) }, (_, step) => BigInt(step) << BigInt(random(60)));
  return [...new Set(values)].map((value) => ({
    names: [name],
    ret,
    conditions: [{ index, op: "eq", value, valueTwo: 0n }],
  }));
}

function oldNames(arch: SeccompArchName): string[] {
  return Object.entries(SECCOMP_ARCHES[arch].numbers)
    .filter(([name, number]) => number <= ORACLE_NEWEST && !UNKNOWN_TO_ORACLE.includes(name))
    .map(([name]) => name);
}

/** The rule for the calls that the oracle and the architecture know. */
function oldRules(rule: PolicyRule, arch: SeccompArchName): PolicyRule[] {
  const known = new Set(oldNames(arch));
  const names = rule.names.filter((name) => known.has(name));
  return names.length === 0 ? [] : [{ ...rule, names }];
}

/** Rules without conditions, only the strictest one for each call. */
function unconditional(rules: readonly PolicyRule[]): PolicyRule[] {
  const strictest = new Map<string, number>();
  for (const { names, ret, conditions } of rules) {
    if (conditions.length > 0) continue;
    for (const name of names)
      strictest.set(name, [ret, strictest.get(name) ?? ALLOW].toSorted(byStrictness)[0] ?? ret);
  }
  return [...strictest].map(([name, ret]) => ({ names: [name], ret, conditions: [] }));
}

function withoutDefault(rules: readonly PolicyRule[], defaultReturn: number): PolicyRule[] {
  return rules.filter(({ ret }) => ret !== defaultReturn);
}

/** A rule with conditions as filters of libseccomp, which has no "not masked" and one condition an argument. */
function conditionalFilters(rule: PolicyRule, arch: SeccompArchName): OraclePolicy[] {
  const { names, ret, conditions } = rule;
  const [first] = conditions;
  if (first === undefined) return [];
  if (names[0] === "personality") return [personalityFilter(ret, arch)];
  if (first.op !== "masked_ne") return [{ arch, defaultReturn: ALLOW, rules: [rule] }];
  const bits = Array.from({ length: 64 }, (_, bit) => 1n << BigInt(bit)).filter(
    (bit) => (bit & first.value) !== 0n,
  );
  return bits.map((bit) => ({
    arch,
    defaultReturn: ALLOW,
    rules: [{ names, ret, conditions: [{ index: first.index, op: "masked_eq", value: bit, valueTwo: bit }] }],
  }));
}

/** Refuses every personality but the five that containers may ask for. */
function personalityFilter(ret: number, arch: SeccompArchName): OraclePolicy {
  const values = [0n, 0x8n, 0x2_0000n, 0x2_0008n, 0xffff_ffffn];
  const others = oldNames(arch).filter((name) => name !== "personality");
  return {
    arch,
    defaultReturn: ret,
    rules: [
      { names: others, ret: ALLOW, conditions: [] },
      ...values.map(
        (value): PolicyRule => ({
          names: ["personality"],
          ret: ALLOW,
          conditions: [{ index: 0, op: "eq", value, valueTwo: 0n }],
        }),
      ),
    ],
  };
}

/** The numbers of x32 are found by way of the architecture that they share. */
const withNative = (arch: SeccompArchName): readonly SeccompArchName[] =>
  arch === "X32" ? ["X86_64", "X32"] : [arch];

function ruleProbes({ arch, rules, defaultReturn }: OraclePolicy): SeccompData[] {
  return rules.flatMap((rule) => {
    const { numbers, base, auditArch } = SECCOMP_ARCHES[arch];
    const nr = base + (numbers[rule.names[0] ?? ""] ?? 0);
    const own = { rules: [rule], defaultReturn, architectures: [arch] };
    return probesOf(own, { nr, arch: auditArch });
  });
}

function expectSame(
  probes: readonly SeccompData[],
  [program, reference]: [Instruction[], Instruction[]],
): void {
  for (const probe of probes) {
    const ret = runProgram(program, probe);
    const wanted = runProgram(reference, probe);
    if (ret !== wanted) expect({ probe, ret }).toEqual({ probe, ret: wanted });
  }
}

function byStrictness(a: number, b: number): number {
  return strictness(a) - strictness(b);
}
