/** What a file system has room for, and what it lets one owner have: fstatfs(2), quotactl(2). */
import { STATFS_SIZE } from "./abi/magic.ts";
import {
  DQBLK_SIZE,
  dqblkOffsets,
  FS_IOC_FSGETXATTR,
  FSXATTR_PROJECT,
  FSXATTR_SIZE,
  Q_GETQUOTA,
} from "./abi/quota.ts";
import { call, callRaw } from "./call.ts";

/** What fstatfs(2) tells of room. */
export interface FileSystemRoom {
  readonly totalBytes: number;
  /** For others than root. */
  readonly availableBytes: number;
  /** 0 where inodes are made as they are needed. */
  readonly totalInodes: number;
  readonly freeInodes: number;
}

/** struct statfs: type, bsize, blocks, bfree, bavail, files, ffree, 64 bits each; frsize at 72. @throws {SyscallError} */
export function fstatfs(fd: number): FileSystemRoom {
  const words = new BigInt64Array(new ArrayBuffer(STATFS_SIZE));
  call("fstatfs", fd, new Uint8Array(words.buffer));
  const word = (index: number): number => Number(words[index] ?? 0n);
  const blockSize = word(9) || word(1);
  return {
    totalBytes: word(2) * blockSize,
    availableBytes: word(4) * blockSize,
    totalInodes: word(5),
    freeInodes: word(6),
  };
}

/** Limits of one owner on one file system, and what it has; 0 stands for no limit. */
export interface DiskQuota {
  readonly limitBytes: number;
  readonly usedBytes: number;
  readonly limitInodes: number;
  readonly usedInodes: number;
}

/**
 * Q_GETQUOTA of quotactl_fd(2) (Linux 5.14).
 * @param type USRQUOTA, GRPQUOTA, PRJQUOTA
 * @returns undefined where there are no such quotas, or they are not for us to know
 */
export function findQuota(fd: number, type: number, id: number): DiskQuota | undefined {
  const bytes = new Uint8Array(new ArrayBuffer(DQBLK_SIZE));
  if (callRaw("quotactl_fd", fd, ((Q_GETQUOTA << 8) >>> 0) | type, id, bytes) < 0) return undefined;
  return parseQuota(bytes);
}

/** @param bytes a struct if_dqblk */
export function parseQuota(bytes: Uint8Array): DiskQuota {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const long = (offset: number): number => Number(view.getBigUint64(offset, true));
  return {
    limitBytes: long(dqblkOffsets.blockLimit) * 1024,
    usedBytes: long(dqblkOffsets.space),
    limitInodes: long(dqblkOffsets.inodeLimit),
    usedInodes: long(dqblkOffsets.inodes),
  };
}

/** The project that a directory belongs to; 0, which has no limits, where there are none. */
export function projectOf(fd: number): number {
  const bytes = new Uint8Array(new ArrayBuffer(FSXATTR_SIZE));
  if (callRaw("ioctl", fd, FS_IOC_FSGETXATTR, bytes) < 0) return 0;
  return new DataView(bytes.buffer).getUint32(FSXATTR_PROJECT, true);
}
