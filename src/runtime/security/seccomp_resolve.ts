/**
 * Turns a user's profile into a policy for one container: rules that capabilities, architecture or kernel rule out
 * are dropped. Where the specs are silent this does what runc does, so that a profile means the same here:
 *
 * - A rule whose action is the default action is dropped.
 * - Several conditions on the SAME argument index make every condition of the rule one of its own: OR, not AND. So
 *   "not 38" and "not 40" in one rule lets both through. Conditions on different indexes must all hold.
 * - Of two rules without conditions for one call the first counts: podman's profile allows setns(2) and later refuses
 *   it, and podman in podman needs it. A stricter rule with conditions counts all the same, which libseccomp drops.
 * - Names that no architecture has are skipped.
 * - This machine's architecture is always confined, whatever `architectures` says.
 */

import { EPERM } from "../../linux/abi/errno.ts";
import {
  SECCOMP_FILTER_FLAG_LOG,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW,
  SECCOMP_FILTER_FLAG_TSYNC,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_LOG,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_TRAP,
  SECCOMP_RET_USER_NOTIF,
} from "../../linux/abi/seccomp.ts";
import { capabilityNames } from "./capability.ts";
import type { Comparison, Condition, Policy, PolicyRule, SeccompArchName } from "./seccomp_policy.ts";
import type {
  KernelVersion,
  SeccompAction,
  SeccompArg,
  SeccompGate,
  SeccompOperator,
  SeccompProfile,
  SeccompRule,
} from "./seccomp_profile.ts";

/** The container and the machine that a profile is resolved for. */
export interface ResolveContext {
  /** Bounding set of the container, as a mask. */
  readonly capabilities: bigint;
  readonly arch: "amd64" | "arm64" | "386";
  readonly kernel: KernelVersion;
}

const ACTIONS: Readonly<Record<SeccompAction, number>> = {
  // Deprecated name; libseccomp's meaning is the thread (runtime-spec, config-linux.md#seccomp).
  SCMP_ACT_KILL: SECCOMP_RET_KILL_THREAD,
  SCMP_ACT_KILL_THREAD: SECCOMP_RET_KILL_THREAD,
  SCMP_ACT_KILL_PROCESS: SECCOMP_RET_KILL_PROCESS,
  SCMP_ACT_TRAP: SECCOMP_RET_TRAP,
  SCMP_ACT_ERRNO: SECCOMP_RET_ERRNO,
  SCMP_ACT_TRACE: SECCOMP_RET_TRACE,
  SCMP_ACT_LOG: SECCOMP_RET_LOG,
  SCMP_ACT_ALLOW: SECCOMP_RET_ALLOW,
  SCMP_ACT_NOTIFY: SECCOMP_RET_USER_NOTIF,
};

const OPERATORS: Readonly<Record<SeccompOperator, Comparison>> = {
  SCMP_CMP_NE: "ne",
  SCMP_CMP_LT: "lt",
  SCMP_CMP_LE: "le",
  SCMP_CMP_EQ: "eq",
  SCMP_CMP_GE: "ge",
  SCMP_CMP_GT: "gt",
  SCMP_CMP_MASKED_EQ: "masked_eq",
};

/** Flags of seccomp(2) by name. */
export const SECCOMP_FLAGS: Readonly<Record<string, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC,
  SECCOMP_FILTER_FLAG_LOG,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
};

const NATIVE: Readonly<Record<ResolveContext["arch"], SeccompArchName>> = {
  amd64: "X86_64",
  "386": "X86_64",
  arm64: "AARCH64",
};

/** Go's names by which `includes.arches` and `excludes.arches` may mean this machine. */
const GATE_NAMES: Readonly<Record<ResolveContext["arch"], readonly string[]>> = {
  amd64: ["amd64"],
  "386": ["amd64", "386", "x86"],
  arm64: ["arm64"],
};

/** Architectures of which a process may run on a machine of the key's. */
const RUNNABLE: Readonly<Record<string, readonly SeccompArchName[]>> = {
  X86_64: ["X86_64", "X86"],
  AARCH64: ["AARCH64", "ARM"],
};

/** The policy that `profile` means for one container. */
export function resolveProfile(profile: SeccompProfile, context: ResolveContext): Policy {
  const held = new Set(capabilityNames(context.capabilities));
  const rules = profile.syscalls.filter((rule) => applies(rule, held, context));
  return policyOf(profile, rules, architecturesOf(profile, context.arch));
}

/** The policy that a profile of a bundle means: rules without conditions, and the architectures that it names. */
export function resolveBundleProfile(profile: SeccompProfile, native: "X86_64" | "AARCH64"): Policy {
  const named = new Set(profile.architectures);
  const runnable = [...(RUNNABLE[native] ?? []), ...(native === "X86_64" ? (["X32"] as const) : [])];
  const architectures = runnable.filter((name) => name === native || named.has(`SCMP_ARCH_${name}`));
  return policyOf(profile, profile.syscalls, architectures);
}

function policyOf(
  { defaultAction, defaultErrnoRet }: SeccompProfile,
  syscalls: readonly SeccompRule[],
  architectures: readonly SeccompArchName[],
): Policy {
  const defaultReturn = returnOf(defaultAction, defaultErrnoRet);
  const rules = syscalls.flatMap(policyRules).filter(({ ret }) => ret !== defaultReturn);
  return { defaultReturn, rules: firstOf(rules), architectures };
}

/** Leaves out names that an earlier rule decides whatever the arguments, where a later one does so too. */
function firstOf(rules: readonly PolicyRule[]): PolicyRule[] {
  const decided = new Set<string>();
  return rules.map((rule) => {
    if (rule.conditions.length > 0) return rule;
    const names = rule.names.filter((name) => !decided.has(name));
    for (const name of names) decided.add(name);
    return { ...rule, names };
  });
}

/**
 * SECCOMP_FILTER_FLAG_* of a profile for seccomp(2).
 * Names that bunker does not know are left out, as the runtime-spec allows for kernels that lack them.
 */
export function seccompFlags(profile: Pick<SeccompProfile, "flags">): number {
  return profile.flags.reduce(
    (flags, name) => flags | (Object.hasOwn(SECCOMP_FLAGS, name) ? (SECCOMP_FLAGS[name] ?? 0) : 0),
    0,
  );
}

function returnOf(action: SeccompAction, errnoRet: number | undefined): number {
  const ret = ACTIONS[action];
  return ret === SECCOMP_RET_ERRNO || ret === SECCOMP_RET_TRACE ? ret | (errnoRet ?? EPERM) : ret;
}

function applies(
  { includes, excludes }: SeccompRule,
  held: ReadonlySet<string>,
  context: ResolveContext,
): boolean {
  return (
    includes.caps.every((cap) => held.has(cap)) &&
    (includes.arches.length === 0 || namesArch(includes.arches, context.arch)) &&
    (includes.minKernel === undefined || isAtLeast(context.kernel, includes.minKernel)) &&
    !excludesContext(excludes, held, context)
  );
}

function excludesContext(excludes: SeccompGate, held: ReadonlySet<string>, context: ResolveContext): boolean {
  return (
    excludes.caps.some((cap) => held.has(cap)) ||
    namesArch(excludes.arches, context.arch) ||
    (excludes.minKernel !== undefined && isAtLeast(context.kernel, excludes.minKernel))
  );
}

function namesArch(arches: readonly string[], arch: ResolveContext["arch"]): boolean {
  return GATE_NAMES[arch].some((name) => arches.includes(name));
}

function isAtLeast(kernel: KernelVersion, wanted: KernelVersion): boolean {
  return kernel.major > wanted.major || (kernel.major === wanted.major && kernel.minor >= wanted.minor);
}

function policyRules({ names, action, errnoRet, args }: SeccompRule): PolicyRule[] {
  const ret = returnOf(action, errnoRet);
  const conditions = args.map(conditionOf);
  const indexes = new Set(args.map(({ index }) => index));
  if (indexes.size === args.length) return [{ names, ret, conditions }];
  return conditions.map((condition) => ({ names, ret, conditions: [condition] }));
}

function conditionOf({ index, op, value, valueTwo }: SeccompArg): Condition {
  return { index, op: OPERATORS[op], value, valueTwo };
}

function architecturesOf(profile: SeccompProfile, arch: ResolveContext["arch"]): SeccompArchName[] {
  const native = NATIVE[arch];
  const mapped = profile.archMap
    .filter(({ architecture }) => architecture === `SCMP_ARCH_${native}`)
    .flatMap(({ subArchitectures }) => subArchitectures);
  const named = new Set([...profile.architectures, ...mapped]);
  const runnable = RUNNABLE[native] ?? [native];
  // An image for 386 can start nothing when its own calls kill it.
  return runnable.filter((name) => name === native || named.has(`SCMP_ARCH_${name}`) || arch === "386");
}
