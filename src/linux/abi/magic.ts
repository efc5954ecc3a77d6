/** Types of filesystems as statfs(2) tells them, linux/magic.h. */

export const PROC_SUPER_MAGIC = 0x9fa0;
export const DEVPTS_SUPER_MAGIC = 0x1cd1;

/** Bytes of struct statfs, which begins with the type; 120 on x86-64 and arm64. */
export const STATFS_SIZE = 120;
