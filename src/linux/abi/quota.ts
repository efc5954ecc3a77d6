/**
 * Disk quotas: quotactl(2), linux/quota.h, linux/fs.h.
 *
 *   struct if_dqblk, 72 bytes       struct fsxattr, 28 bytes
 *   offset size field               offset size field
 *        0    8 bhardlimit  KiB         12    4 projid
 *        8    8 bsoftlimit  KiB
 *       16    8 curspace    bytes
 *       24    8 ihardlimit
 *       32    8 isoftlimit
 *       40    8 curinodes
 */
export const USRQUOTA = 0;
export const GRPQUOTA = 1;
export const PRJQUOTA = 2;

export const Q_GETQUOTA = 0x800007;
export const DQBLK_SIZE = 72;
export const dqblkOffsets = { blockLimit: 0, space: 16, inodeLimit: 24, inodes: 40 } as const;

/** ioctl(2) request: _IOR('X', 31, struct fsxattr). */
export const FS_IOC_FSGETXATTR = 0x801c581f;
export const FSXATTR_SIZE = 28;
export const FSXATTR_PROJECT = 12;
