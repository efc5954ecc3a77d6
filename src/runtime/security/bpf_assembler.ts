/**
 * Assembles a classic BPF program from its last instruction to its first. Jumps only go forwards, so every target
 * exists when a jump is written; a label is the position of an instruction counted from the end.
 */

import {
  BPF_JMP_JA,
  BPF_JUMP_MAX,
  BPF_MAXINSNS,
  BPF_RET_K,
  SOCK_FILTER_SIZE,
} from "../../linux/abi/seccomp.ts";

/** Position of an instruction, 0 for the last one of the program. */
export type Label = number;

/** A jump writes at most two trampolines, each of which moves the other target one further away. */
const REACH_MAX = BPF_JUMP_MAX - 2;

interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

/** Builds one program; call its methods in the reverse order of execution. */
export class BpfAssembler {
  readonly #reversed: Instruction[] = [];
  readonly #returns = new Map<number, Label>();

  /** Number of instructions so far. */
  get length(): number {
    return this.#reversed.length;
  }

  /** A `RET ret`, shared with an earlier one when that is in reach of a jump written next. */
  ret(ret: number): Label {
    const known = this.#returns.get(ret);
    if (known !== undefined && this.#reaches(known)) return known;
    const label = this.#push({ code: BPF_RET_K, jt: 0, jf: 0, k: ret });
    this.#returns.set(ret, label);
    return label;
  }

  /** An instruction that does not jump, followed by the one at `next`. */
  step(code: number, k: number, next: Label): Label {
    if (next !== this.length - 1) this.#jumpAlways(next);
    return this.#push({ code, jt: 0, jf: 0, k });
  }

  /** A comparison of the accumulator with `k`. */
  branch(code: number, k: number, targets: { readonly yes: Label; readonly no: Label }): Label {
    const yes = this.#near(targets.yes);
    const no = targets.no === targets.yes ? yes : this.#near(targets.no);
    const next = this.length - 1;
    return this.#push({ code, jt: next - yes, jf: next - no, k });
  }

  /**
   * The program as an array of struct sock_filter in little-endian order.
   * @throws {RangeError} when it is longer than the kernel takes.
   */
  encode(): Uint8Array {
    if (this.length > BPF_MAXINSNS) {
      throw new RangeError(
        `Cannot compile seccomp profile: ${this.length} instructions, the kernel takes ${BPF_MAXINSNS}`,
      );
    }
    const bytes = new Uint8Array(this.length * SOCK_FILTER_SIZE);
    const view = new DataView(bytes.buffer);
    this.#reversed.toReversed().forEach(({ code, jt, jf, k }, index) => {
      const offset = index * SOCK_FILTER_SIZE;
      view.setUint16(offset, code, true);
      view.setUint8(offset + 2, jt);
      view.setUint8(offset + 3, jf);
      view.setUint32(offset + 4, k, true);
    });
    return bytes;
  }

  #push(instruction: Instruction): Label {
    return this.#reversed.push(instruction) - 1;
  }

  #reaches(label: Label): boolean {
    return this.length - 1 - label <= REACH_MAX;
  }

  /** A label in reach that leads to `label`. */
  #near(label: Label): Label {
    if (this.#reaches(label)) return label;
    const target = this.#reversed[label];
    // A second RET costs what a jump to the first one costs, and one instruction less at run time.
    if (target?.code === BPF_RET_K) return this.ret(target.k);
    return this.#jumpAlways(label);
  }

  #jumpAlways(label: Label): Label {
    return this.#push({ code: BPF_JMP_JA, jt: 0, jf: 0, k: this.length - 1 - label });
  }
}
