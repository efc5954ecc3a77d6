/**
 * Constants and layouts of seccomp(2) and its classic BPF: include/uapi/linux/{seccomp,filter,bpf_common,audit}.h.
 *
 * struct sock_filter, one instruction:
 *
 *   offset  size  field  meaning
 *        0     2  code   BPF_* class, size and mode
 *        2     1  jt     instructions to skip when the comparison holds
 *        3     1  jf     instructions to skip when it does not
 *        4     4  k      constant, offset or return value
 *   total 8 bytes
 *
 * struct sock_fprog, the argument of SECCOMP_SET_MODE_FILTER:
 *
 *   offset  size  field   meaning
 *        0     2  len     number of instructions, 1 to BPF_MAXINSNS
 *        8     8  filter  address of the first struct sock_filter
 *   total 16 bytes on 64-bit
 *
 * struct seccomp_data, what a filter may load (32-bit words, in the byte order of the machine):
 *
 *   offset  size  field                meaning
 *        0     4  nr                   system call number
 *        4     4  arch                 AUDIT_ARCH_*
 *        8     8  instruction_pointer
 *       16    48  args[6]              64 bits each; on little endian the low word comes first
 *   total 64 bytes
 */

export const SECCOMP_SET_MODE_FILTER = 1;

export const SECCOMP_FILTER_FLAG_TSYNC = 0x01;
export const SECCOMP_FILTER_FLAG_LOG = 0x02;
export const SECCOMP_FILTER_FLAG_SPEC_ALLOW = 0x04;
export const SECCOMP_FILTER_FLAG_NEW_LISTENER = 0x08;
export const SECCOMP_FILTER_FLAG_TSYNC_ESRCH = 0x10;
export const SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 0x20;

export const SECCOMP_RET_KILL_PROCESS = 0x8000_0000;
export const SECCOMP_RET_KILL_THREAD = 0x0000_0000;
export const SECCOMP_RET_TRAP = 0x0003_0000;
export const SECCOMP_RET_ERRNO = 0x0005_0000;
export const SECCOMP_RET_USER_NOTIF = 0x7fc0_0000;
export const SECCOMP_RET_TRACE = 0x7ff0_0000;
export const SECCOMP_RET_LOG = 0x7ffc_0000;
export const SECCOMP_RET_ALLOW = 0x7fff_0000;
/** The low half of a return value: errno, or the tracer's message. */
export const SECCOMP_RET_DATA = 0x0000_ffff;

export const SOCK_FILTER_SIZE = 8;
export const SOCK_FPROG_SIZE = 16;
/** Longest program that the kernel takes, in instructions. */
export const BPF_MAXINSNS = 4096;

export const SECCOMP_DATA_NR = 0;
export const SECCOMP_DATA_ARCH = 4;
/** Offset of the low word of argument 0; the high word is 4 bytes on, the next argument 8. */
export const SECCOMP_DATA_ARGS = 16;
export const SECCOMP_ARGS_MAX = 6;

export const BPF_LD_W_ABS = 0x20;
export const BPF_ALU_AND_K = 0x54;
export const BPF_JMP_JA = 0x05;
export const BPF_JMP_JEQ_K = 0x15;
export const BPF_JMP_JGT_K = 0x25;
export const BPF_JMP_JGE_K = 0x35;
export const BPF_JMP_JSET_K = 0x45;
export const BPF_RET_K = 0x06;
/** jt and jf are 8 bits wide. */
export const BPF_JUMP_MAX = 255;

export const AUDIT_ARCH_X86_64 = 0xc000_003e;
export const AUDIT_ARCH_I386 = 0x4000_0003;
export const AUDIT_ARCH_AARCH64 = 0xc000_00b7;
export const AUDIT_ARCH_ARM = 0x4000_0028;

/** Set in the number of a system call of the x32 ABI, which shares AUDIT_ARCH_X86_64. */
export const X32_SYSCALL_BIT = 0x4000_0000;
/** First of the numbers that 32-bit ARM has beside the table: __ARM_NR_BASE. */
export const ARM_NR_BASE = 0x000f_0000;
