/**
 * Writes a program as a static ELF executable: elf(5). One page of machine code, readable and executable; the
 * program's data, readable and writable; one zero page where the report will be mapped; no executable stack.
 *
 *     0x400000  header and machine code   file 0x0000
 *     0x411000  steps, strings, rooms     file 0x1000
 *     0x600000  report page               not in the file
 *
 * The distances suit pages of 4 to 64 KiB (arm64): segments never share a page, and address and file offset are
 * equal modulo the page size.
 */
import { type EncodedProgram, encodeProgram } from "./encode.ts";
import { architecture, machine } from "./machine.ts";
import { type ProgramCore, report, reportAddress } from "./program_core.ts";

const CODE_ADDRESS = 0x400000;
const CODE_FILE_SIZE = 0x1000;
const DATA_ADDRESS = 0x411000;
const ALIGNMENT = 0x10000;
const CODE_OFFSET = 0x200;

const EM_X86_64 = 62;
const EM_AARCH64 = 183;
const PT_LOAD = 1;
const PT_GNU_STACK = 0x6474e551;
const PF_X = 1;
const PF_W = 2;
const PF_R = 4;

/** An executable file, and what is needed to understand its report. */
export interface Executable {
  readonly file: Uint8Array;
  readonly program: EncodedProgram;
}

/** Builds the executable whose first step is the program's first step. */
export function writeExecutable(program: ProgramCore): Executable {
  const encoded = encodeProgram(program, DATA_ADDRESS);
  const file = new Uint8Array(new ArrayBuffer(CODE_FILE_SIZE + encoded.bytes.length));
  writeHeaders(new DataView(file.buffer), encoded.bytes.length);
  const code = file.subarray(CODE_OFFSET, CODE_OFFSET + machine.bytes.length);
  code.set(machine.bytes);
  machine.patchStart(code, DATA_ADDRESS, reportAddress);
  file.set(encoded.bytes, CODE_FILE_SIZE);
  return { file, program: encoded };
}

function writeHeaders(view: DataView, dataSize: number): void {
  writeFileHeader(view);
  writeSegment(view, 0, {
    type: PT_LOAD,
    flags: PF_R | PF_X,
    address: CODE_ADDRESS,
    offset: 0,
    size: CODE_FILE_SIZE,
  });
  writeSegment(view, 1, {
    type: PT_LOAD,
    flags: PF_R | PF_W,
    address: DATA_ADDRESS,
    offset: CODE_FILE_SIZE,
    size: dataSize,
  });
  writeSegment(view, 2, {
    type: PT_LOAD,
    flags: PF_R | PF_W,
    address: reportAddress,
    offset: 0,
    size: 0,
    memory: report.size,
  });
  writeSegment(view, 3, { type: PT_GNU_STACK, flags: PF_R | PF_W, address: 0, offset: 0, size: 0 });
}

/** Elf64_Ehdr: 64 bytes. */
function writeFileHeader(view: DataView): void {
  view.setUint32(0, 0x7f454c46); // "\x7fELF"
  view.setUint32(4, 0x02010100); // 64 bits, little-endian, version 1, System V
  view.setUint16(16, 2, true); // ET_EXEC
  view.setUint16(18, architecture === 1 ? EM_AARCH64 : EM_X86_64, true);
  view.setUint32(20, 1, true);
  view.setUint32(24, CODE_ADDRESS + CODE_OFFSET + machine.entry.start, true);
  view.setUint32(32, 64, true); // program headers follow
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 4, true);
}

interface Segment {
  readonly type: number;
  readonly flags: number;
  readonly address: number;
  readonly offset: number;
  readonly size: number;
  readonly memory?: number;
}

/** Elf64_Phdr: 56 bytes. */
function writeSegment(view: DataView, index: number, segment: Segment): void {
  const at = 64 + 56 * index;
  view.setUint32(at, segment.type, true);
  view.setUint32(at + 4, segment.flags, true);
  view.setUint32(at + 8, segment.offset, true);
  view.setUint32(at + 16, segment.address, true);
  view.setUint32(at + 24, segment.address, true);
  view.setUint32(at + 32, segment.size, true);
  view.setUint32(at + 40, segment.memory ?? segment.size, true);
  view.setUint32(at + 48, segment.type === PT_LOAD ? ALIGNMENT : 16, true);
}
