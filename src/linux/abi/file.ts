/** Constants and structs of files: linux/stat.h, linux/fs.h, linux/falloc.h, sys/file.h; statx(2), flock(2), renameat2(2). */

export const S_IFLNK = 0o120000;
export const S_IFSOCK = 0o140000;
export const S_ISUID = 0o4000;
export const S_ISGID = 0o2000;

export const LOCK_SH = 1;
export const LOCK_EX = 2;
export const LOCK_NB = 4;
export const LOCK_UN = 8;

export const RENAME_NOREPLACE = 1;
export const RENAME_EXCHANGE = 2;

/** st_mode type bits of dirent64.d_type, and its value when the file system does not say. */
export const DT_UNKNOWN = 0;
export const DT_DIR = 4;

/** Time of utimensat(2) that is left alone. */
export const UTIME_OMIT = 0x3ffffffe;

/** ioctl(2) request that shares the blocks of another file: _IOW(0x94, 9, int), linux/fs.h. */
export const FICLONE = 0x40049409;

/**
 * struct statx: linux/stat.h, the same on every processor (Linux 4.11).
 *
 *   offset size field            offset size field
 *        0    4 mask                 32    8 ino
 *       16    4 nlink                40    8 size
 *       20    4 uid                  64   12 atime: seconds 8, nanoseconds 4
 *       24    4 gid                 112   12 mtime
 *       28    2 mode                128    8 rdev: major 4, minor 4
 *       48    8 blocks              136    8 dev: major 4, minor 4
 *   total 256 bytes
 */
export const STATX_SIZE = 256;
export const STATX_BASIC_STATS = 0x7ff;
export const statxOffsets = {
  nlink: 16,
  uid: 20,
  gid: 24,
  mode: 28,
  ino: 32,
  size: 40,
  blocks: 48,
  atime: 64,
  mtime: 112,
  rdevMajor: 128,
  rdevMinor: 132,
  devMajor: 136,
  devMinor: 140,
} as const;

/**
 * struct linux_dirent64: ino 8, off 8, reclen 2, type 1, then the name and its NUL.
 * getdents64(2).
 */
export const direntOffsets = { reclen: 16, type: 18, name: 19 } as const;
