/**
 * Writes programs as a static ELF executable: elf(5). One page of machine code, readable and executable; the programs,
 * readable and writable; one zero page where the report will be mapped; no executable stack.
 *
 *     0x400000  header and machine code          file 0x0000
 *     0x411000  first program: steps, strings    file 0x1000
 *     0x500000  second program, if there is one  file: the next multiple of the page size
 *     0x1000000 report page                      not in the file
 *
 * No program is larger than 4 MiB (encode.ts), twice what the kernel takes of arguments and environment by default. The distances suit pages of 4 to 64 KiB (arm64): segments never share a page, and address and file offset are
 * equal modulo the page size.
 */
import { architecture, machine } from "./machine.ts";
import { report, reportAddress } from "./program_core.ts";

const CODE_ADDRESS = 0x400000;
const CODE_FILE_SIZE = 0x1000;
const CODE_OFFSET = 0x200;
/** Where the first program is encoded to run. */
export const FIRST_ADDRESS = 0x411000;
/** Where it stands in the file. */
export const FIRST_OFFSET = CODE_FILE_SIZE;
/** Where a second program is encoded to run; the first goes on to it with a label of this address. */
export const SECOND_ADDRESS = 0x500000;
/** Largest first program with a second one: what lies between the two addresses. */
const FIRST_SIZE_MAX = SECOND_ADDRESS - FIRST_ADDRESS;
const ALIGNMENT = 0x10000;
const PAGE_SIZE = architecture === 1 ? 0x10000 : 0x1000;

const EM_X86_64 = 62;
const EM_AARCH64 = 183;
const SEGMENT_COUNT = 5;
const PT_LOAD = 1;
const PT_GNU_STACK = 0x6474e551;
const PF_X = 1;
const PF_W = 2;
const PF_R = 4;

/**
 * Builds the executable whose first step is the first program's first step.
 * @throws {RangeError} when the first program would reach into the second.
 */
export function writeExecutable(first: Uint8Array, second?: Uint8Array): Uint8Array {
  if (second !== undefined && first.length > FIRST_SIZE_MAX)
    throw new RangeError("Cannot write a program of more than 956 KiB");
  const secondOffset = Math.ceil((CODE_FILE_SIZE + first.length) / PAGE_SIZE) * PAGE_SIZE;
  const end = second === undefined ? CODE_FILE_SIZE + first.length : secondOffset + second.length;
  const file = new Uint8Array(new ArrayBuffer(end));
  const view = new DataView(file.buffer);
  writeFileHeader(view);
  const code = { type: PT_LOAD, flags: PF_R | PF_X, address: CODE_ADDRESS, offset: 0, size: CODE_FILE_SIZE };
  const data = { type: PT_LOAD, flags: PF_R | PF_W };
  const firstSize = first.length;
  writeSegment(view, 0, code);
  writeSegment(view, 1, { ...data, address: FIRST_ADDRESS, offset: CODE_FILE_SIZE, size: firstSize });
  writeSegment(view, 2, {
    ...data,
    address: SECOND_ADDRESS,
    offset: secondOffset,
    size: second?.length ?? 0,
  });
  writeSegment(view, 3, { ...data, address: reportAddress, offset: 0, size: 0, memory: report.size });
  writeSegment(view, 4, { type: PT_GNU_STACK, flags: PF_R | PF_W, address: 0, offset: 0, size: 0 });
  file.set(machine.bytes, CODE_OFFSET);
  machine.patchStart(file.subarray(CODE_OFFSET), FIRST_ADDRESS, reportAddress);
  file.set(first, CODE_FILE_SIZE);
  if (second !== undefined) file.set(second, secondOffset);
  return file;
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
  view.setUint16(56, SEGMENT_COUNT, true);
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
