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

import { ENOSYS } from "../../linux/abi/errno.ts";
import {
  ARM_NR_BASE,
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
  /** Arguments have 64 bits. */
  readonly wide: boolean;
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
  // The numbers of x32 are searched together with those whose AUDIT_ARCH they share.
  for (const name of policy.architectures.filter((candidate) => candidate !== "X32").toReversed()) {
    const arch = SECCOMP_ARCHES[name];
    const search = new ArchCompiler(assembler).compile(rangesOf(policy, arch));
    dispatch = assembler.branch(BPF_JMP_JEQ_K, arch.auditArch, { yes: search, no: dispatch });
  }
  assembler.step(BPF_LD_W_ABS, SECCOMP_DATA_ARCH, dispatch);
  return assembler.encode();
}

/** Writes the code of one architecture. */
class ArchCompiler {
  readonly #assembler: BpfAssembler;
  readonly #bodies = new Map<string, Label>();

  constructor(assembler: BpfAssembler) {
    this.#assembler = assembler;
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

  #body({ key, answers, wide }: Body): Label {
    const [first] = answers;
    if (first !== undefined && first.conditions.length === 0) return this.#assembler.ret(first.ret);
    const known = this.#bodies.get(key);
    if (known !== undefined) return known;
    let label = -1;
    for (const answer of answers.toReversed()) label = this.#answer({ ...answer, wide }, label);
    this.#bodies.set(key, label);
    return label;
  }

  #answer({ ret, conditions, wide }: Answer & Pick<Body, "wide">, otherwise: Label): Label {
    let label = this.#assembler.ret(ret);
    for (const condition of conditions.toReversed()) {
      const branches = { yes: label, no: otherwise };
      label = compileCondition(this.#assembler, { ...condition, wide }, branches);
    }
    return label;
  }
}

/** The answer for every number from 0 up, neighbours with the same answer merged. */
function rangesOf(policy: Policy, arch: SeccompArch): Range[] {
  const ranges = new ArchRanges(policy, arch).list();
  if (!arch.hasX32) return ranges;
  const refused = { start: X32_SYSCALL_BIT, body: unconditional(errnoReturn(ENOSYS)) };
  const x32 = policy.architectures.includes("X32")
    ? new ArchRanges(policy, SECCOMP_ARCHES.X32).list()
    : [refused];
  const merges = x32[0]?.body.key === ranges.at(-1)?.body.key;
  return [...ranges, ...x32.slice(merges ? 1 : 0)];
}

/** Largest number of an architecture's table; what ARM has beside it comes much later. */
const newestNumber = ({ numbers }: SeccompArch): number =>
  Math.max(...Object.values(numbers).filter((number) => number < ARM_NR_BASE));

/** Ranges of one architecture's numbers, from its base up without an end. */
class ArchRanges {
  readonly #policy: Policy;
  readonly #arch: SeccompArch;
  readonly #newest: number;
  readonly #ranges: Range[] = [];

  constructor(policy: Policy, arch: SeccompArch) {
    this.#policy = policy;
    this.#arch = arch;
    this.#newest = newestNumber(arch);
  }

  list(): Range[] {
    const answers = answersByNumber(this.#policy, this.#arch);
    let next = 0;
    for (const number of [...answers.keys()].sort((a, b) => a - b)) {
      this.#addGap(next, number);
      this.#add(number, this.#bodyOf(answers.get(number) ?? []));
      next = number + 1;
    }
    this.#addGap(next, Number.POSITIVE_INFINITY);
    return this.#ranges;
  }

  /** Numbers without a rule: what the kernel has, and after it what only a newer one has. */
  #addGap(from: number, to: number): void {
    const { defaultReturn } = this.#policy;
    const unknown = isPermissive(defaultReturn) ? defaultReturn : errnoReturn(ENOSYS);
    const future = this.#newest + 1;
    if (from < to && from < future) this.#add(from, unconditional(defaultReturn));
    if (to > future) this.#add(Math.max(from, future), unconditional(unknown));
  }

  #add(number: number, body: Body): void {
    if (this.#ranges.at(-1)?.body.key !== body.key) {
      this.#ranges.push({ start: this.#arch.base + number, body });
    }
  }

  #bodyOf(answers: readonly Answer[]): Body {
    const [first] = answers;
    if (answers.length === 1 && first?.conditions.length === 0) return unconditional(first.ret);
    // A stable sort: of equally strict answers the first of the profile is tried first.
    const sorted = answers.toSorted((a, b) => strictness(a.ret) - strictness(b.ret));
    const end = sorted.findIndex(({ conditions }) => conditions.length === 0);
    const last = { ret: this.#policy.defaultReturn, conditions: [] };
    const tried = end < 0 ? [...sorted, last] : sorted.slice(0, end + 1);
    if (tried.length === 1 && tried[0] !== undefined) return unconditional(tried[0].ret);
    const { wide } = this.#arch;
    return { key: `${wide}:${tried.map(answerKey).join(";")}`, answers: tried, wide };
  }
}

/** The same object for the same answer: most numbers have one of two. */
const unconditionals = new Map<number, Body>();

function unconditional(ret: number): Body {
  const known = unconditionals.get(ret);
  if (known !== undefined) return known;
  const body = { key: `${ret}`, answers: [{ ret, conditions: [] }], wide: true };
  unconditionals.set(ret, body);
  return body;
}

function answersByNumber({ rules }: Policy, { numbers }: SeccompArch): Map<number, Answer[]> {
  const answers = new Map<number, Answer[]>(
    // Beyond the newest number, where without a rule there is nothing to call but these.
    Object.values(numbers)
      .filter((number) => number >= ARM_NR_BASE)
      .map((number) => [number, []]),
  );
  for (const { names, ret, conditions } of rules) {
    const answer = { ret, conditions };
    for (const name of names) {
      // A name that the architecture lacks cannot be called there.
      const number = Object.hasOwn(numbers, name) ? numbers[name] : undefined;
      if (number === undefined) continue;
      const list = answers.get(number);
      if (list === undefined) answers.set(number, [answer]);
      else list.push(answer);
    }
  }
  return answers;
}

function answerKey({ ret, conditions }: Answer): string {
  const tests = conditions.map(({ index, op, value, valueTwo }) => `${index}${op}${value},${valueTwo}`);
  return `${ret}:${tests.join("&")}`;
}
