/** bpf(2): loading programs and attaching them to control groups. */
import {
  BPF_PROG_ATTACH,
  BPF_PROG_DETACH,
  BPF_PROG_GET_FD_BY_ID,
  BPF_PROG_LOAD,
  BPF_PROG_QUERY,
} from "./abi/bpf.ts";
import { EPERM } from "./abi/errno.ts";
import { call, callRaw, cstr, SyscallError } from "./call.ts";
import { addressOf } from "./memory.ts";

/**
 * union bpf_attr as the calls here use it, 32-bit words; what is beyond is zero.
 *
 *   word  BPF_PROG_LOAD            BPF_PROG_ATTACH    BPF_PROG_QUERY
 *      0  prog_type                target_fd          target_fd
 *      1  insn_cnt                 attach_bpf_fd      attach_type
 *    2-3  address of instructions  attach_type, flags query_flags, attach_flags
 *    4-5  address of the license   replace_bpf_fd     address of prog_ids
 *    6-7  log_level, log_size                         prog_cnt
 *    8-9  address of the log
 *     17  expected_attach_type
 */
const ATTR_SIZE = 72;

function attr(words: Readonly<Record<number, number>>): { words: Uint32Array; bytes: Uint8Array } {
  const buffer = new ArrayBuffer(ATTR_SIZE);
  const array = new Uint32Array(buffer);
  for (const [index, value] of Object.entries(words)) array[Number(index)] = value;
  return { words: array, bytes: new Uint8Array(buffer) };
}

/** An address as two words from `index` on. */
function address(index: number, memory: Uint8Array): Record<number, number> {
  const value = addressOf(memory);
  return { [index]: value % 2 ** 32, [index + 1]: Math.floor(value / 2 ** 32) };
}

/** What kind of program it is. */
export interface BpfKind {
  readonly type: number;
  readonly attachType: number;
  readonly license: string;
}

const RLIMIT_MEMLOCK = 8;
const INSN_SIZE = 8;

/**
 * BPF_PROG_LOAD: a descriptor of the program, closed on exec.
 * @throws {SyscallError} EPERM without CAP_BPF, EINVAL and EACCES for what the verifier refuses
 */
export function bpfProgLoad(instructions: Uint8Array, { type, attachType, license }: BpfKind): number {
  const text = cstr(license);
  const { bytes } = attr({
    0: type,
    1: instructions.length / INSN_SIZE,
    ...address(2, instructions),
    ...address(4, text),
    17: attachType,
  });
  const load = (): number => callRaw("bpf", BPF_PROG_LOAD, bytes, ATTR_SIZE);
  let fd = load();
  if (fd === -EPERM) {
    // Until Linux 5.11 programs count as locked memory, of which 64 KiB are allowed.
    const unlimited = new Uint8Array(BigUint64Array.of(2n ** 64n - 1n, 2n ** 64n - 1n).buffer);
    if (callRaw("prlimit64", 0, RLIMIT_MEMLOCK, unlimited, null) === 0) fd = load();
  }
  if (fd >= 0) return fd;
  // Named here, so that what the kernel reads by address is alive until now.
  const what = `${instructions.length / INSN_SIZE} instructions, ${text.length} bytes of license`;
  throw new SyscallError({ name: "bpf", text: `bpf(BPF_PROG_LOAD, ${what})`, errno: -fd });
}

/** Where a program is attached. */
export interface BpfAttachment {
  /** Open directory of a control group. */
  readonly target: number;
  readonly type: number;
}

/** BPF_PROG_ATTACH; the negated error number for a failure. @param how `replace` with BPF_F_REPLACE only */
export function tryBpfProgAttach(
  program: number,
  { target, type }: BpfAttachment,
  how: { readonly flags: number; readonly replace?: number },
): number {
  const { bytes } = attr({ 0: target, 1: program, 2: type, 3: how.flags, 4: how.replace ?? 0 });
  return callRaw("bpf", BPF_PROG_ATTACH, bytes, ATTR_SIZE);
}

/** BPF_PROG_DETACH. @throws {SyscallError} ENOENT */
export function bpfProgDetach(program: number, { target, type }: BpfAttachment): void {
  call("bpf", BPF_PROG_DETACH, attr({ 0: target, 1: program, 2: type }).bytes, ATTR_SIZE);
}

/** More programs than the kernel attaches to one group (BPF_CGROUP_MAX_PROGS). */
const PROGRAMS_MAX = 64;

/** BPF_PROG_QUERY: ids of the programs attached right here. @throws {SyscallError} */
export function bpfProgQuery({ target, type }: BpfAttachment): number[] {
  const ids = new Uint32Array(new ArrayBuffer(4 * PROGRAMS_MAX));
  const query = attr({ 0: target, 1: type, ...address(4, new Uint8Array(ids.buffer)), 6: PROGRAMS_MAX });
  call("bpf", BPF_PROG_QUERY, query.bytes, ATTR_SIZE);
  return [...ids.subarray(0, query.words[6])];
}

/** BPF_PROG_GET_FD_BY_ID. @throws {SyscallError} ENOENT when it is gone */
export function bpfProgGetFdById(id: number): number {
  return call("bpf", BPF_PROG_GET_FD_BY_ID, attr({ 0: id }).bytes, ATTR_SIZE);
}
