/**
 * Constants of linux/sched.h, linux/sched/types.h, linux/ioprio.h, linux/mempolicy.h and linux/personality.h, by the
 * names that runtime-spec's config.json uses: sched_setattr(2), ioprio_set(2), set_mempolicy(2), personality(2).
 */

type Names = Readonly<Record<string, number>>;

export const SCHED_POLICIES: Names = {
  SCHED_OTHER: 0,
  SCHED_FIFO: 1,
  SCHED_RR: 2,
  SCHED_BATCH: 3,
  SCHED_ISO: 4,
  SCHED_IDLE: 5,
  SCHED_DEADLINE: 6,
};

export const SCHED_FLAGS: Names = {
  SCHED_FLAG_RESET_ON_FORK: 0x01,
  SCHED_FLAG_RECLAIM: 0x02,
  SCHED_FLAG_DL_OVERRUN: 0x04,
  SCHED_FLAG_KEEP_POLICY: 0x08,
  SCHED_FLAG_KEEP_PARAMS: 0x10,
  SCHED_FLAG_UTIL_CLAMP_MIN: 0x20,
  SCHED_FLAG_UTIL_CLAMP_MAX: 0x40,
};

/**
 * struct sched_attr: size and policy, 32 bits each; flags; nice and priority, 32 bits each; runtime, deadline and
 * period in nanoseconds; two 32-bit clamps (SCHED_ATTR_SIZE_VER1, Linux 5.3).
 */
export const SCHED_ATTR_SIZE = 56;

export const IOPRIO_CLASSES: Names = { IOPRIO_CLASS_RT: 1, IOPRIO_CLASS_BE: 2, IOPRIO_CLASS_IDLE: 3 };
export const IOPRIO_CLASS_SHIFT = 13;
export const IOPRIO_LEVEL_MAX = 7;
export const IOPRIO_WHO_PROCESS = 1;

export const MEMORY_POLICIES: Names = {
  MPOL_DEFAULT: 0,
  MPOL_PREFERRED: 1,
  MPOL_BIND: 2,
  MPOL_INTERLEAVE: 3,
  MPOL_LOCAL: 4,
  MPOL_PREFERRED_MANY: 5,
  MPOL_WEIGHTED_INTERLEAVE: 6,
};

export const MEMORY_POLICY_FLAGS: Names = {
  MPOL_F_NUMA_BALANCING: 0x2000,
  MPOL_F_RELATIVE_NODES: 0x4000,
  MPOL_F_STATIC_NODES: 0x8000,
};

export const PERSONALITIES: Names = { LINUX: 0, LINUX32: 8 };
