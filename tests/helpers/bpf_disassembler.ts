/** Lists a seccomp program, one instruction a line, for golden files: `12: JGE #0x3c 20 13`. */

import {
  BPF_ALU_AND_K,
  BPF_JMP_JA,
  BPF_JMP_JEQ_K,
  BPF_JMP_JGE_K,
  BPF_JMP_JGT_K,
  BPF_JMP_JSET_K,
  BPF_LD_W_ABS,
  BPF_RET_K,
  SECCOMP_DATA_ARCH,
  SECCOMP_DATA_ARGS,
  SECCOMP_DATA_NR,
} from "../../src/linux/abi/seccomp.ts";
import { type Instruction, readProgram } from "./bpf_program.ts";

const RETURNS: Readonly<Record<number, string>> = {
  [0x8000_0000]: "KILL_PROCESS",
  [0]: "KILL_THREAD",
  [0x3_0000]: "TRAP",
  [0x5_0000]: "ERRNO",
  [0x7fc0_0000]: "USER_NOTIF",
  [0x7ff0_0000]: "TRACE",
  [0x7ffc_0000]: "LOG",
  [0x7fff_0000]: "ALLOW",
};

const JUMPS: Readonly<Record<number, string>> = {
  [BPF_JMP_JEQ_K]: "JEQ",
  [BPF_JMP_JGT_K]: "JGT",
  [BPF_JMP_JGE_K]: "JGE",
  [BPF_JMP_JSET_K]: "JSET",
};

/** The listing, with absolute jump targets: the first is taken when the comparison holds. */
export function disassemble(program: Uint8Array): string {
  const lines = readProgram(program).map((instruction, index) => `${index}: ${line(instruction, index)}`);
  return `${lines.join("\n")}\n`;
}

function line({ code, jt, jf, k }: Instruction, index: number): string {
  const jump = JUMPS[code];
  if (jump !== undefined) return `${jump} #${hex(k)} ${index + 1 + jt} ${index + 1 + jf}`;
  switch (code) {
    case BPF_LD_W_ABS:
      return `LD ${field(k)}`;
    case BPF_ALU_AND_K:
      return `AND #${hex(k)}`;
    case BPF_JMP_JA:
      return `JA ${index + 1 + k}`;
    case BPF_RET_K:
      return `RET ${returnName(k)}`;
    default:
      throw new RangeError(`Cannot disassemble instruction ${index}: code ${hex(code)} is unknown`);
  }
}

function field(offset: number): string {
  if (offset === SECCOMP_DATA_NR) return "nr";
  if (offset === SECCOMP_DATA_ARCH) return "arch";
  const argument = offset - SECCOMP_DATA_ARGS;
  return `args[${argument >> 3}].${argument & 4 ? "high" : "low"}`;
}

function returnName(ret: number): string {
  const data = ret & 0xffff;
  const name = RETURNS[(ret - data) >>> 0] ?? hex(ret);
  return data === 0 ? name : `${name} ${data}`;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
