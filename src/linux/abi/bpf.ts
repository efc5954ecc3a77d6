/** Constants of linux/bpf.h: bpf(2), and the instructions of eBPF (Documentation/bpf/standardization/instruction-set.rst). */

/** Commands. */
export const BPF_PROG_LOAD = 5;
export const BPF_PROG_ATTACH = 8;
export const BPF_PROG_DETACH = 9;
export const BPF_PROG_GET_FD_BY_ID = 13;
export const BPF_PROG_QUERY = 16;

export const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
export const BPF_CGROUP_DEVICE = 6;

/** Programs of the groups above go on to count as well. */
export const BPF_F_ALLOW_MULTI = 2;
/** In the place of another one (Linux 5.6). */
export const BPF_F_REPLACE = 4;

/** struct bpf_cgroup_dev_ctx: access << 16 | type, major, minor; 32 bits each. */
export const BPF_DEVCG_ACC_MKNOD = 1;
export const BPF_DEVCG_ACC_READ = 2;
export const BPF_DEVCG_ACC_WRITE = 4;
export const BPF_DEVCG_DEV_BLOCK = 1;
export const BPF_DEVCG_DEV_CHAR = 2;

/** struct bpf_insn: opcode 8 bits, destination and source 4 bits each, offset 16 bits, immediate 32 bits. */
export const BPF_INSN_SIZE = 8;
/** dst = *(u32 *)(src + offset) */
export const BPF_LDX_MEM_W = 0x61;
/** dst = immediate; 32 bits */
export const BPF_MOV32_K = 0xb4;
/** dst = src; 32 bits */
export const BPF_MOV32_X = 0xbc;
export const BPF_AND32_K = 0x54;
export const BPF_RSH32_K = 0x74;
/** Forwards by the offset when dst equals, or does not equal, the immediate. */
export const BPF_JEQ_K = 0x15;
export const BPF_JNE_K = 0x55;
export const BPF_EXIT = 0x95;
