/** How much may still be written below a directory, and which of several limits stands in the way. */
import { AT_FDCWD, O_DIRECTORY, O_RDONLY } from "../linux/abi/fcntl.ts";
import { GRPQUOTA, PRJQUOTA, USRQUOTA } from "../linux/abi/quota.ts";
import { Fd, tryOpenat } from "../linux/file.ts";
import { type DiskQuota, type FileSystemRoom, findQuota, fstatfs, projectOf } from "../linux/file_system.ts";

/** A quota with a limit. */
export interface OwnerQuota extends DiskQuota {
  readonly kind: "user" | "group" | "project";
  readonly id: number;
}

/** Room below a directory. */
export interface DiskRoom extends FileSystemRoom {
  /** Quotas that limit the caller there. */
  readonly quotas: readonly OwnerQuota[];
}

/** Looks at the file system of a directory; undefined when that is not there. */
export function diskRoom(directory: string): DiskRoom | undefined {
  const fd = tryOpenat(AT_FDCWD, directory, { flags: O_RDONLY | O_DIRECTORY });
  if (fd < 0) return undefined;
  using opened = new Fd(fd);
  const owners = [
    { kind: "user", type: USRQUOTA, id: process.geteuid?.() ?? 0 },
    { kind: "group", type: GRPQUOTA, id: process.getegid?.() ?? 0 },
    { kind: "project", type: PRJQUOTA, id: projectOf(opened.number) },
  ] as const;
  const quotas = owners.flatMap(({ kind, type, id }) => {
    const quota = findQuota(opened.number, type, id);
    const isLimited = quota !== undefined && quota.limitBytes + quota.limitInodes > 0;
    return isLimited ? [{ kind, id, ...quota }] : [];
  });
  return { ...fstatfs(opened.number), quotas };
}

/** Less than this is as good as nothing: a block of a file, and the blocks that say where it is. */
const LEFT_BYTES_MIN = 16_384;

/**
 * Says what is used up, after a write was refused for want of room, before anything was given back.
 * @returns e.g. `no inodes are left`, `the quota of user 1000 is used up`
 */
export function describeFull(room: DiskRoom | undefined): string {
  const quota = room?.quotas.find(
    ({ limitBytes, usedBytes, limitInodes, usedInodes }) =>
      (limitBytes > 0 && limitBytes - usedBytes < LEFT_BYTES_MIN) ||
      (limitInodes > 0 && usedInodes >= limitInodes),
  );
  if (quota !== undefined) return `the quota of ${quota.kind} ${quota.id} is used up`;
  const hasNoInodes = room !== undefined && room.totalInodes > 0 && room.freeInodes === 0;
  return hasNoInodes ? "no inodes are left" : "the disk is full";
}
