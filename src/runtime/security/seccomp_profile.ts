/**
 * Seccomp profiles as users write them: the runtime-spec's LinuxSeccomp (config-linux.md#seccomp) and docker's
 * JSON form, which adds archMap and rules that depend on capabilities, architecture and kernel. Pure. Unknown keys
 * are left alone, as in docker ("comment"), but a value of the wrong type is refused with its JSON path.
 */

import { JsonValue } from "./json_value.ts";

/** Every action of the specification. */
export const SECCOMP_ACTIONS = [
  "SCMP_ACT_KILL",
  "SCMP_ACT_KILL_PROCESS",
  "SCMP_ACT_KILL_THREAD",
  "SCMP_ACT_TRAP",
  "SCMP_ACT_ERRNO",
  "SCMP_ACT_TRACE",
  "SCMP_ACT_LOG",
  "SCMP_ACT_ALLOW",
  "SCMP_ACT_NOTIFY",
] as const;

/** Every comparison of the specification. */
export const SECCOMP_OPERATORS = [
  "SCMP_CMP_NE",
  "SCMP_CMP_LT",
  "SCMP_CMP_LE",
  "SCMP_CMP_EQ",
  "SCMP_CMP_GE",
  "SCMP_CMP_GT",
  "SCMP_CMP_MASKED_EQ",
] as const;

/** Longest profile, in characters; docker's own has 20,000. */
const TEXT_MAX = 1_048_576;
/** Most entries in any list of a profile. */
const LIST_MAX = 4096;
/** The kernel's MAX_ERRNO: greater values come back as this one. */
const ERRNO_MAX = 4095n;
const ARGUMENT_INDEX_MAX = 5n;
const U64_MAX = 0xffff_ffff_ffff_ffffn;

/** `SCMP_ACT_*` */
export type SeccompAction = (typeof SECCOMP_ACTIONS)[number];

/** `SCMP_CMP_*`, unsigned; MASKED_EQ is `(argument & value) == (valueTwo & value)`. */
export type SeccompOperator = (typeof SECCOMP_OPERATORS)[number];

/** A test of one argument. */
export interface SeccompArg {
  /** 0 to 5 */
  readonly index: number;
  /** 0 to 2^64-1 */
  readonly value: bigint;
  readonly valueTwo: bigint;
  readonly op: SeccompOperator;
}

/** When a rule of docker's form applies; everything that is given must hold. */
export interface SeccompGate {
  /** `CAP_SYS_ADMIN`. In `includes` the container must hold all, in `excludes` any one drops the rule. */
  readonly caps: readonly string[];
  /** Go's names, `amd64`; any one counts. */
  readonly arches: readonly string[];
  /** The kernel is of this version or newer. */
  readonly minKernel: KernelVersion | undefined;
}

/** One entry of `syscalls`. */
export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: SeccompAction;
  /** errno of SCMP_ACT_ERRNO, message of SCMP_ACT_TRACE; undefined is EPERM. */
  readonly errnoRet: number | undefined;
  readonly args: readonly SeccompArg[];
  readonly includes: SeccompGate;
  readonly excludes: SeccompGate;
}

/** An entry of docker's `archMap`. */
export interface SeccompArchMapping {
  /** `SCMP_ARCH_X86_64` */
  readonly architecture: string;
  readonly subArchitectures: readonly string[];
}

/** A parsed profile; only {@link parseSeccompProfile} makes one. */
export interface SeccompProfile {
  readonly defaultAction: SeccompAction;
  readonly defaultErrnoRet: number | undefined;
  /** `SCMP_ARCH_*`; empty: this machine's. */
  readonly architectures: readonly string[];
  readonly archMap: readonly SeccompArchMapping[];
  /** `SECCOMP_FILTER_FLAG_*` */
  readonly flags: readonly string[];
  /** Socket of an agent for SCMP_ACT_NOTIFY. */
  readonly listenerPath: string | undefined;
  readonly listenerMetadata: string | undefined;
  readonly syscalls: readonly SeccompRule[];
}

/** First two parts of a kernel release. */
export interface KernelVersion {
  readonly major: number;
  readonly minor: number;
}

/**
 * Parses the text of a profile. Numbers that a double cannot hold (masks of 64 bits) are read exactly.
 * @throws {SyntaxError} that names the JSON path of what is wrong.
 */
export function parseSeccompText(text: string): SeccompProfile {
  if (text.length > TEXT_MAX) {
    throw new SyntaxError(`Cannot parse seccomp profile: it is longer than ${TEXT_MAX} characters`);
  }
  const exact = (_key: string, value: unknown, { source }: { readonly source?: string }): unknown =>
    typeof value === "number" && !Number.isSafeInteger(value) && /^\d+$/.test(source ?? "")
      ? BigInt(source ?? "")
      : value;
  let json: unknown;
  try {
    json = JSON.parse(text, exact as (key: string, value: unknown) => unknown);
  } catch (error) {
    throw new SyntaxError("Cannot parse seccomp profile: it is not JSON", { cause: error });
  }
  return parseSeccompProfile(json);
}

/**
 * Parses a decoded profile; whole numbers may be bigints.
 * @throws {SyntaxError} that names the JSON path of what is wrong.
 */
export function parseSeccompProfile(json: unknown): SeccompProfile {
  const root = new JsonValue(json);
  const architectures = parseTexts(root.member("architectures"));
  const archMap = root.member("archMap").elements(LIST_MAX).map(parseMapping);
  if (architectures.length > 0 && archMap.length > 0) {
    throw root.member("archMap").error('allowed besides "architectures"');
  }
  refuseErrnoName(root, "defaultErrno", "defaultErrnoRet");
  return {
    defaultAction: root.member("defaultAction").oneOf(SECCOMP_ACTIONS),
    defaultErrnoRet: parseErrno(root.member("defaultErrnoRet")),
    architectures,
    archMap,
    flags: parseTexts(root.member("flags")),
    listenerPath: parseOptionalText(root.member("listenerPath")),
    listenerMetadata: parseOptionalText(root.member("listenerMetadata")),
    syscalls: root.member("syscalls").elements(LIST_MAX).map(parseRule),
  };
}

/**
 * First two parts of a kernel release such as `6.18.44-generic` or `4.8`.
 * @throws {SyntaxError} when it does not begin with two numbers.
 */
export function parseKernelVersion(release: string): KernelVersion {
  const [, major, minor] = /^(\d{1,5})\.(\d{1,5})(?!\d)/.exec(release) ?? [];
  if (major === undefined || minor === undefined) {
    throw new SyntaxError(`Cannot parse kernel version "${release}": expected two numbers, as in "4.8"`);
  }
  return { major: Number(major), minor: Number(minor) };
}

function parseRule(rule: JsonValue): SeccompRule {
  const names = parseTexts(rule.member("names"));
  const name = parseOptionalText(rule.member("name"));
  if (name !== undefined && names.length > 0) throw rule.member("name").error('allowed besides "names"');
  if (name === undefined && names.length === 0) throw rule.member("names").error("a list of system calls");
  refuseErrnoName(rule, "errno", "errnoRet");
  return {
    names: name === undefined ? names : [name],
    action: rule.member("action").oneOf(SECCOMP_ACTIONS),
    errnoRet: parseErrno(rule.member("errnoRet")),
    args: rule.member("args").elements(LIST_MAX).map(parseArg),
    includes: parseGate(rule.member("includes")),
    excludes: parseGate(rule.member("excludes")),
  };
}

function parseArg(arg: JsonValue): SeccompArg {
  const valueTwo = arg.member("valueTwo");
  return {
    index: Number(arg.member("index").whole(ARGUMENT_INDEX_MAX)),
    value: arg.member("value").whole(U64_MAX),
    valueTwo: valueTwo.isMissing ? 0n : valueTwo.whole(U64_MAX),
    op: arg.member("op").oneOf(SECCOMP_OPERATORS),
  };
}

function parseGate(gate: JsonValue): SeccompGate {
  if (gate.isMissing) return { caps: [], arches: [], minKernel: undefined };
  const minKernel = parseOptionalText(gate.member("minKernel"));
  return {
    caps: parseTexts(gate.member("caps")),
    arches: parseTexts(gate.member("arches")),
    minKernel: minKernel === undefined ? undefined : parseKernelVersion(minKernel),
  };
}

function parseMapping(mapping: JsonValue): SeccompArchMapping {
  return {
    architecture: mapping.member("architecture").text(),
    subArchitectures: parseTexts(mapping.member("subArchitectures")),
  };
}

/** Podman's profiles name the errno besides its number; the name alone would silently mean EPERM. */
function refuseErrnoName(parent: JsonValue, nameKey: string, numberKey: string): void {
  const name = parent.member(nameKey);
  if (name.isMissing || name.value === "" || !parent.member(numberKey).isMissing) return;
  throw name.error(`enough: give the number as "${numberKey}"`);
}

function parseErrno(value: JsonValue): number | undefined {
  return value.isMissing ? undefined : Number(value.whole(ERRNO_MAX));
}

function parseTexts(list: JsonValue): string[] {
  return list.elements(LIST_MAX).map((element) => element.text());
}

function parseOptionalText(value: JsonValue): string | undefined {
  return value.isMissing || value.value === "" ? undefined : value.text();
}
