import { describe, expect, test } from "bun:test";
import { BpfAssembler } from "../../../../src/runtime/security/bpf_assembler.ts";
import { disassemble } from "../../../helpers/bpf_disassembler.ts";
import { readProgram, runProgram } from "../../../helpers/bpf_program.ts";

const LD = 0x20;
const AND = 0x54;
const JEQ = 0x15;
const ALLOW = 0x7fff_0000;
const EPERM = 0x5_0001;
const NR = 0;

describe("BpfAssembler", () => {
  test("writes instructions in the reverse order of the calls", () => {
    const assembler = new BpfAssembler();
    const no = assembler.ret(EPERM);
    const yes = assembler.ret(ALLOW);
    assembler.step(LD, NR, assembler.branch(JEQ, 7, { yes, no }));

    expect(disassemble(assembler.encode())).toBe("0: LD nr\n1: JEQ #0x7 2 3\n2: RET ALLOW\n3: RET ERRNO 1\n");
  });

  test("encodes struct sock_filter in little-endian order", () => {
    const assembler = new BpfAssembler();
    assembler.ret(0x8000_0001);

    expect([...assembler.encode()]).toEqual([6, 0, 0, 0, 1, 0, 0, 0x80]);
  });

  test("shares a RET that is in reach", () => {
    const assembler = new BpfAssembler();

    expect(assembler.ret(ALLOW)).toBe(assembler.ret(ALLOW));
    expect(assembler.length).toBe(1);
  });

  test("repeats a RET that is out of reach", () => {
    const assembler = new BpfAssembler();
    const first = assembler.ret(ALLOW);
    pad(assembler, 300);

    expect(assembler.ret(ALLOW)).not.toBe(first);
  });

  test("jumps in two steps to an instruction that is out of reach", () => {
    const assembler = new BpfAssembler();
    const far = assembler.step(AND, 1, assembler.ret(EPERM));
    pad(assembler, 300);
    const near = assembler.ret(ALLOW);
    assembler.step(LD, NR, assembler.branch(JEQ, 7, { yes: far, no: near }));

    const program = readProgram(assembler.encode());

    expect(runProgram(program, { nr: 7, arch: 0, args: [] })).toBe(EPERM);
    expect(runProgram(program, { nr: 8, arch: 0, args: [] })).toBe(ALLOW);
  });

  test.each([250, 252, 253, 254, 255, 256, 257, 258])(
    "reaches both targets over %d instructions",
    (distance) => {
      const assembler = new BpfAssembler();
      const yes = assembler.step(AND, 1, assembler.ret(EPERM));
      const no = assembler.step(AND, 1, assembler.ret(ALLOW));
      pad(assembler, distance);
      assembler.step(LD, NR, assembler.branch(JEQ, 7, { yes, no }));

      const program = readProgram(assembler.encode());

      expect(runProgram(program, { nr: 7, arch: 0, args: [] })).toBe(EPERM);
      expect(runProgram(program, { nr: 8, arch: 0, args: [] })).toBe(ALLOW);
    },
  );
});

/** Writes `count` instructions that are never run. */
function pad(assembler: BpfAssembler, count: number): void {
  for (let left = count; left > 0; left--) assembler.step(AND, 0, assembler.length - 1);
}
