/**
 * Device rules as an eBPF program, for version 2: pure. The kernel runs it for each attempt to open or make a device node;
 * 1 allows, 0 refuses.
 *
 *     r2 = type, r3 = accesses that are not decided yet, r4 = major, r5 = minor
 *     for each rule, the last one first:
 *       unless it is about this device: next rule
 *       denies one of r3's accesses: return 0
 *       allows: take its accesses out of r3; nothing left: return 1
 *     return what the list begins with
 */
import {
  BPF_AND32_K,
  BPF_DEVCG_ACC_MKNOD,
  BPF_DEVCG_ACC_READ,
  BPF_DEVCG_ACC_WRITE,
  BPF_DEVCG_DEV_BLOCK,
  BPF_DEVCG_DEV_CHAR,
  BPF_EXIT,
  BPF_INSN_SIZE,
  BPF_JEQ_K,
  BPF_JNE_K,
  BPF_LDX_MEM_W,
  BPF_MOV32_K,
  BPF_MOV32_X,
  BPF_RSH32_K,
} from "../../linux/abi/bpf.ts";
import { effectiveRules, type FullDeviceRule } from "./device_rules.ts";

/** One instruction; members that are left out are 0. */
interface Instruction {
  readonly code: number;
  readonly dst?: number;
  readonly src?: number;
  readonly offset?: number;
  readonly value?: number;
}

const RESULT = 0;
/** The context at first, then free. */
const R1 = 1;
const TYPE = 2;
const ACCESS = 3;
const MAJOR = 4;
const MINOR = 5;

const ALL_ACCESSES = BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE;

/** Offsets into struct bpf_cgroup_dev_ctx. */
const CONTEXT_MAJOR = 4;
const CONTEXT_MINOR = 8;

/** The program as bytes of struct bpf_insn. */
export function deviceProgram(list: readonly FullDeviceRule[]): Uint8Array {
  const { allowAll, rules } = effectiveRules(list);
  const program: Instruction[] = [
    { code: BPF_LDX_MEM_W, dst: TYPE, src: R1 },
    { code: BPF_MOV32_X, dst: ACCESS, src: TYPE },
    { code: BPF_AND32_K, dst: TYPE, value: 0xffff },
    { code: BPF_RSH32_K, dst: ACCESS, value: 16 },
    { code: BPF_LDX_MEM_W, dst: MAJOR, src: R1, offset: CONTEXT_MAJOR },
    { code: BPF_LDX_MEM_W, dst: MINOR, src: R1, offset: CONTEXT_MINOR },
    ...rules.toReversed().flatMap(ruleInstructions),
    ...returnValue(allowAll),
  ];
  return encode(program);
}

const returnValue = (allowed: boolean): Instruction[] => [
  { code: BPF_MOV32_K, dst: RESULT, value: allowed ? 1 : 0 },
  { code: BPF_EXIT },
];

function ruleInstructions(rule: FullDeviceRule): Instruction[] {
  const decision = decide(rule);
  const checks: [register: number, value: number][] = [];
  if (rule.type !== "a") checks.push([TYPE, rule.type === "b" ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR]);
  if (rule.major >= 0) checks.push([MAJOR, rule.major]);
  if (rule.minor >= 0) checks.push([MINOR, rule.minor]);
  const jumps = checks.map(([dst, value], index) => ({
    code: BPF_JNE_K,
    dst,
    value,
    offset: checks.length - 1 - index + decision.length,
  }));
  return [...jumps, ...decision];
}

function decide({ allow, access }: FullDeviceRule): Instruction[] {
  const bits = accessBits(access);
  const result = returnValue(allow);
  if (allow) {
    return [
      { code: BPF_AND32_K, dst: ACCESS, value: ALL_ACCESSES & ~bits },
      { code: BPF_JNE_K, dst: ACCESS, value: 0, offset: result.length },
      ...result,
    ];
  }
  return [
    { code: BPF_MOV32_X, dst: R1, src: ACCESS },
    { code: BPF_AND32_K, dst: R1, value: bits },
    { code: BPF_JEQ_K, dst: R1, value: 0, offset: result.length },
    ...result,
  ];
}

/** `rwm` as bits of the context. */
export function accessBits(access: string): number {
  return (
    (access.includes("m") ? BPF_DEVCG_ACC_MKNOD : 0) |
    (access.includes("r") ? BPF_DEVCG_ACC_READ : 0) |
    (access.includes("w") ? BPF_DEVCG_ACC_WRITE : 0)
  );
}

function encode(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(new ArrayBuffer(program.length * BPF_INSN_SIZE));
  const view = new DataView(bytes.buffer);
  for (const [index, { code, dst = 0, src = 0, offset = 0, value = 0 }] of program.entries()) {
    const at = index * BPF_INSN_SIZE;
    bytes[at] = code;
    bytes[at + 1] = dst | (src << 4);
    view.setInt16(at + 2, offset, true);
    view.setInt32(at + 4, value, true);
  }
  return bytes;
}
