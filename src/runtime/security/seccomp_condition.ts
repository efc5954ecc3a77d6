/** Compiles one condition on a 64-bit argument to comparisons of its two 32-bit words. */

import {
  BPF_ALU_AND_K,
  BPF_JMP_JEQ_K,
  BPF_JMP_JGE_K,
  BPF_JMP_JGT_K,
  BPF_LD_W_ABS,
  SECCOMP_DATA_ARGS,
} from "../../linux/abi/seccomp.ts";
import type { BpfAssembler, Label } from "./bpf_assembler.ts";
import type { Condition } from "./seccomp_policy.ts";

/** Where a condition leads. */
export interface Branches {
  readonly yes: Label;
  readonly no: Label;
}

interface Target {
  readonly assembler: BpfAssembler;
  /** Offset of the argument's low word in struct seccomp_data. */
  readonly offset: number;
  /** False on 32-bit architectures, where the high word is not looked at. */
  readonly wide: boolean;
}

/** Writes the code of `condition`; what runs next is at one of `branches`. */
export function compileCondition(
  assembler: BpfAssembler,
  condition: Condition & { readonly wide: boolean },
  branches: Branches,
): Label {
  const { index, op, value, valueTwo, wide } = condition;
  const target = { assembler, offset: SECCOMP_DATA_ARGS + 8 * index, wide };
  const opposite = { yes: branches.no, no: branches.yes };
  switch (op) {
    case "eq":
      return equal(target, value, branches);
    case "ne":
      return equal(target, value, opposite);
    case "gt":
      return above(target, { value, code: BPF_JMP_JGT_K }, branches);
    case "le":
      return above(target, { value, code: BPF_JMP_JGT_K }, opposite);
    case "ge":
      return above(target, { value, code: BPF_JMP_JGE_K }, branches);
    case "lt":
      return above(target, { value, code: BPF_JMP_JGE_K }, opposite);
    case "masked_eq":
      return maskedEqual(target, { mask: value, value: valueTwo }, branches);
    case "masked_ne":
      return maskedEqual(target, { mask: value, value: valueTwo }, opposite);
  }
}

function equal({ assembler, offset, wide }: Target, value: bigint, { yes, no }: Branches): Label {
  const low = assembler.branch(BPF_JMP_JEQ_K, lowWord(value), { yes, no });
  const label = assembler.step(BPF_LD_W_ABS, offset, low);
  if (!wide) return label;
  const high = assembler.branch(BPF_JMP_JEQ_K, highWord(value), { yes: label, no });
  return assembler.step(BPF_LD_W_ABS, offset + 4, high);
}

/** `code` compares the low words: JGT or JGE. */
function above(
  { assembler, offset, wide }: Target,
  { value, code }: { readonly value: bigint; readonly code: number },
  { yes, no }: Branches,
): Label {
  const low = assembler.branch(code, lowWord(value), { yes, no });
  const label = assembler.step(BPF_LD_W_ABS, offset, low);
  if (!wide) return label;
  const tie = assembler.branch(BPF_JMP_JEQ_K, highWord(value), { yes: label, no });
  const high = assembler.branch(BPF_JMP_JGT_K, highWord(value), { yes, no: tie });
  return assembler.step(BPF_LD_W_ABS, offset + 4, high);
}

function maskedEqual(
  target: Target,
  { mask, value }: { readonly mask: bigint; readonly value: bigint },
  { yes, no }: Branches,
): Label {
  const low = maskedWord(target, [lowWord(mask), lowWord(value)], { yes, no });
  if (!target.wide) return low;
  const high = { ...target, offset: target.offset + 4 };
  return maskedWord(high, [highWord(mask), highWord(value)], { yes: low, no });
}

function maskedWord(
  { assembler, offset }: Target,
  [mask, value]: readonly [mask: number, value: number],
  { yes, no }: Branches,
): Label {
  // No bit is looked at: every argument is equal.
  if (mask === 0) return yes;
  // Bits of the value outside the mask do not count: seccomp_rule_add(3), "the masked datum value".
  const compare = assembler.branch(BPF_JMP_JEQ_K, (value & mask) >>> 0, { yes, no });
  const masked = mask === 0xffff_ffff ? compare : assembler.step(BPF_ALU_AND_K, mask, compare);
  return assembler.step(BPF_LD_W_ABS, offset, masked);
}

function lowWord(value: bigint): number {
  return Number(value & 0xffff_ffffn);
}

function highWord(value: bigint): number {
  return Number(value >> 32n);
}
