/**
 * Compiles a policy to a classic BPF program:
 *
 *   LD arch; one JEQ an architecture; RET KILL_PROCESS
 *   LD nr; binary search by JGE over ranges of numbers that share one answer
 *   RET, or comparisons of the arguments that end in RETs
 *
 * The kernel (5.11+) runs the program once per number when it is loaded and remembers the calls that are allowed
 * whatever their arguments; it follows only the instructions used here (seccomp_is_const_allow() in
 * kernel/seccomp.c). So an allowed call costs no BPF at all, and the search is for the others.
 */

import {
  BPF_JMP_JEQ_K,
  BPF_JMP_JGE_K,
  BPF_LD_W_ABS,
  SECCOMP_DATA_ARCH,
  SECCOMP_DATA_NR,
  SECCOMP_RET_KILL_PROCESS,
  X32_SYSCALL_BIT,
} from "../../linux/abi/seccomp.ts";
import { BpfAssembler, type Label } from "./bpf_assembler.ts";
import { SECCOMP_ARCHES, type SeccompArch } from "./seccomp_arch.ts";
import { compileCondition } from "./seccomp_condition.ts";
import { type Condition, errnoReturn, isPermissive, type Policy, strictness } from "./seccomp_policy.ts";

const ENOSYS = 38;

/** One way that a system call may be answered. */
interface Answer {
  readonly ret: number;
  readonly conditions: readonly Condition[];
}

/** Answers in the order of trial; the last has no conditions. */
interface Body {
  /** Equal for bodies that mean the same. */
  readonly key: string;
  readonly answers: readonly Answer[];
}

/** Numbers from `start` up to the next range. */
interface Range {
  readonly start: number;
  readonly body: Body;
}

/**
 * Compiles `policy` to an array of struct sock_filter.
 * @throws {RangeError} when the program is longer than the kernel takes.
 */
export function compilePolicy(policy: Policy): Uint8Array {
  const assembler = new BpfAssembler();
  let dispatch = assembler.ret(SECCOMP_RET_KILL_PROCESS);
  for (const name of policy.architectures.toReversed()) {
    const arch = SECCOMP_ARCHES[name];
    const search = new ArchCompiler(assembler, arch).compile(rangesOf(policy, arch));
    dispatch = assembler.branch(BPF_JMP_JEQ_K, arch.auditArch, { yes: search, no: dispatch });
  }
  assembler.step(BPF_LD_W_ABS, SECCOMP_DATA_ARCH, dispatch);
  return assembler.encode();
}

/** Writes the code of one architecture. */
class ArchCompiler {
  readonly #assembler: BpfAssembler;
  readonly #arch: SeccompArch;
  readonly #bodies = new Map<string, Label>();

  constructor(assembler: BpfAssembler, arch: SeccompArch) {
    this.#assembler = assembler;
    this.#arch = arch;
  }

  compile(ranges: readonly Range[]): Label {
    // Written first, so that they lie behind the search and its jumps stay short.
    for (const { body } of ranges) if (body.answers.length > 1) this.#body(body);
    return this.#assembler.step(BPF_LD_W_ABS, SECCOMP_DATA_NR, this.#search(ranges));
  }

  #search(ranges: readonly Range[]): Label {
    const middle = ranges.length >> 1;
    const pivot = ranges[middle];
    if (pivot === undefined) throw new RangeError("Cannot search no ranges");
    if (middle === 0) return this.#body(pivot.body);
    const yes = this.#search(ranges.slice(middle));
    const no = this.#search(ranges.slice(0, middle));
    return this.#assembler.branch(BPF_JMP_JGE_K, pivot.start, { yes, no });
  }

  #body({ key, answers }: Body): Label {
    const [first] = answers;
    if (first !== undefined && first.conditions.length === 0) return this.#assembler.ret(first.ret);
    const known = this.#bodies.get(key);
    if (known !== undefined) return known;
    let label = -1;
    for (const answer of answers.toReversed()) label = this.#answer(answer, label);
    this.#bodies.set(key, label);
    return label;
  }

  #answer({ ret, conditions }: Answer, otherwise: Label): Label {
    let label = this.#assembler.ret(ret);
    for (const condition of conditions.toReversed()) {
      const branches = { yes: label, no: otherwise };
      label = compileCondition(this.#assembler, { ...condition, wide: this.#arch.wide }, branches);
    }
    return label;
  }
}

/** The answer for every number from 0 up, neighbours with the same answer merged. */
function rangesOf(policy: Policy, arch: SeccompArch): Range[] {
  const unknown = isPermissive(policy.defaultReturn) ? policy.defaultReturn : errnoReturn(ENOSYS);
  const bodies = bodiesByNumber(policy, arch);
  const gap = bodyOf([], policy.defaultReturn);
  const newest = Math.max(...Object.values(arch.numbers));
  const ranges: Range[] = [];
  for (let number = 0; number <= newest; number++) addRange(ranges, number, bodies.get(number) ?? gap);
  addRange(ranges, newest + 1, bodyOf([], unknown));
  if (arch.hasX32) addRange(ranges, X32_SYSCALL_BIT, bodyOf([], errnoReturn(ENOSYS)));
  return ranges;
}

function addRange(ranges: Range[], start: number, body: Body): void {
  if (ranges.at(-1)?.body.key !== body.key) ranges.push({ start, body });
}

function bodiesByNumber({ rules, defaultReturn }: Policy, { numbers }: SeccompArch): Map<number, Body> {
  const answers = new Map<number, Answer[]>();
  for (const { names, ret, conditions } of rules) {
    for (const name of names) {
      // A name that the architecture lacks cannot be called there.
      const number = Object.hasOwn(numbers, name) ? numbers[name] : undefined;
      if (number === undefined) continue;
      const list = answers.get(number);
      if (list === undefined) answers.set(number, [{ ret, conditions }]);
      else list.push({ ret, conditions });
    }
  }
  return new Map([...answers].map(([number, list]) => [number, bodyOf(list, defaultReturn)]));
}

function bodyOf(answers: readonly Answer[], defaultReturn: number): Body {
  // A stable sort: of equally strict answers the first of the profile is tried first.
  const sorted = answers.toSorted((a, b) => strictness(a.ret) - strictness(b.ret));
  const end = sorted.findIndex(({ conditions }) => conditions.length === 0);
  const tried = end < 0 ? [...sorted, { ret: defaultReturn, conditions: [] }] : sorted.slice(0, end + 1);
  return { key: tried.map(answerKey).join(";"), answers: tried };
}

function answerKey({ ret, conditions }: Answer): string {
  const tests = conditions.map(({ index, op, value, valueTwo }) => `${index}${op}${value},${valueTwo}`);
  return `${ret}:${tests.join("&")}`;
}
