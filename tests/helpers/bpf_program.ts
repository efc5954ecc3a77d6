/** Decodes and runs classic BPF as the kernel does for seccomp: an independent check of what was compiled. */

/** struct sock_filter */
export interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

/** What a filter sees of a system call. */
export interface SeccompData {
  readonly nr: number;
  readonly arch: number;
  /** 0 to 6 values of 64 bits; missing ones are zero. */
  readonly args: readonly bigint[];
}

/** Decodes an array of struct sock_filter. */
export function readProgram(program: Uint8Array): Instruction[] {
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength);
  return Array.from({ length: program.byteLength / 8 }, (_, index) => ({
    code: view.getUint16(index * 8, true),
    jt: view.getUint8(index * 8 + 2),
    jf: view.getUint8(index * 8 + 3),
    k: view.getUint32(index * 8 + 4, true),
  }));
}

/**
 * Runs a filter on one system call and returns its SECCOMP_RET_* value.
 * @throws {RangeError} for an instruction that the kernel would refuse, or a jump out of the program.
 */
export function runProgram(instructions: readonly Instruction[], data: SeccompData): number {
  const words = seccompData(data);
  let accumulator = 0;
  for (let at = 0; at < instructions.length; at++) {
    const { code, jt, jf, k } = instructions[at] as Instruction;
    switch (code) {
      case 0x20:
        accumulator = load(words, k);
        break;
      case 0x54:
        accumulator = (accumulator & k) >>> 0;
        break;
      case 0x05:
        at += k;
        break;
      case 0x15:
        at += accumulator === k ? jt : jf;
        break;
      case 0x25:
        at += accumulator > k ? jt : jf;
        break;
      case 0x35:
        at += accumulator >= k ? jt : jf;
        break;
      case 0x45:
        at += (accumulator & k) !== 0 ? jt : jf;
        break;
      case 0x06:
        return k;
      default:
        throw new RangeError(`Cannot run BPF instruction ${at}: code ${code} is unknown`);
    }
  }
  throw new RangeError("Cannot run BPF program: it has no RET at its end");
}

/** struct seccomp_data as 16 little-endian words. */
function seccompData({ nr, arch, args }: SeccompData): Uint32Array {
  const words = new Uint32Array(16);
  words[0] = nr;
  words[1] = arch;
  args.forEach((value, index) => {
    words[4 + 2 * index] = Number(value & 0xffff_ffffn);
    words[5 + 2 * index] = Number((value >> 32n) & 0xffff_ffffn);
  });
  return words;
}

function load(words: Uint32Array, offset: number): number {
  const word = words[offset / 4];
  if (word === undefined) throw new RangeError(`Cannot load BPF data at ${offset}: it is not a word of it`);
  return word;
}
