/**
 * A procfs of the program's own, attached nowhere, through which everything is written that belongs to the process:
 * the container's /proc may be a link, a volume, or have another file of procfs mounted over the one that is meant
 * (CVE-2019-16884, CVE-2019-19921, CVE-2025-52881). Files are opened beneath its root, over no mount.
 *
 * In a user namespace the kernel makes one only while a whole procfs is visible (mount_namespaces(7)), so it is to be
 * opened before the container's mounts are made. It shows the PID namespace of the process that opens it.
 */
import { EXDEV } from "../../linux/abi/errno.ts";
import {
  AT_FDCWD,
  O_CLOEXEC,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  OPEN_HOW_SIZE,
  RESOLVE_BENEATH,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_XDEV,
} from "../../linux/abi/fcntl.ts";
import { PROC_SUPER_MAGIC, STATFS_SIZE } from "../../linux/abi/magic.ts";
import {
  FSCONFIG_CMD_CREATE,
  FSCONFIG_SET_STRING,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from "../../linux/abi/mount.ts";
import { openHow } from "../../linux/open_how.ts";
import type { Program } from "../../linux/program.ts";
import { STAT_SIZE } from "../../linux/stat.ts";
import type { Label, Room, Step, Variable } from "../../linux/step.ts";

const ATTRIBUTES = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
/** st_ino is the second word of struct stat (stat(2)). */
const ST_INO = 8;
/** Inode of the root of every procfs (linux/proc_fs.h). */
const PROC_ROOT_INO = 1;

/**
 * Opens a procfs of the program's own; where the kernel refuses, a copy of /proc, at last /proc itself.
 * @param full holds /proc/sys too; otherwise processes only.
 * @returns its root.
 */
export function planPrivateProc(program: Program, { full }: { readonly full: boolean }): Variable {
  const proc = program.section("open a private /proc").variable("proc");
  const copy = program.label();
  const plain = program.label();
  const opened = program.label();
  const context = program.fsopen("proc", FSOPEN_CLOEXEC).onError(copy).result;
  if (!full) {
    // Before Linux 5.8 there are no such options, and a whole procfs is as good: nobody else sees it.
    program.fsconfig(context, FSCONFIG_SET_STRING, "subset", "pid").ignoreErrors();
    program.fsconfig(context, FSCONFIG_SET_STRING, "hidepid", "ptraceable").ignoreErrors();
  }
  program.fsconfig(context, FSCONFIG_CMD_CREATE).onError(copy);
  program.fsmount(context, FSMOUNT_CLOEXEC, ATTRIBUTES).into(proc).onError(copy);
  program.close(context).onSuccess(opened);
  program.place(copy);
  program
    .open_tree(AT_FDCWD, "/proc", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)
    .into(proc)
    .onSuccess(opened)
    .onError(plain);
  program
    .place(plain)
    .openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    .into(proc);
  program.place(opened);
  planCheck(program, proc);
  return proc;
}

/** Goes on only with the root of a procfs, which what stands at /proc need not be. */
function planCheck(program: Program, proc: Variable): void {
  const isProc = program.label();
  const isRoot = program.label();
  const statfs = program.room(STATFS_SIZE);
  const stat = program.room(STAT_SIZE);
  program.section("check that /proc is the kernel's own").step("fstatfs", proc, statfs);
  program.field(statfs, 0, 0xffffffff, PROC_SUPER_MAGIC).onZero(isProc);
  program.fail(EXDEV);
  program.place(isProc).step("fstat", proc, stat);
  program.field(stat.at(ST_INO), 0, 0xffffffff, PROC_ROOT_INO).onZero(isRoot);
  program.fail(EXDEV);
  program.place(isRoot);
}

const RESOLVE = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS;

/** A file of procfs. */
export interface ProcFile {
  /** From {@link planPrivateProc}. */
  readonly proc: Variable;
  /** Relative: `self/oom_score_adj`. */
  readonly path: string;
}

/** Opens a file of procfs. */
export function openInProc(program: Program, { proc, path }: ProcFile, flags: number): Step {
  return program.openat2(proc, path, openHow(flags | O_CLOEXEC, RESOLVE), OPEN_HOW_SIZE);
}

/**
 * Goes on at `otherwise` unless `room` begins with `expected`.
 * @param room at least eight bytes longer than `expected`.
 */
export function planCompare(
  program: Program,
  room: Room,
  { expected, otherwise }: { readonly expected: Uint8Array; readonly otherwise: Label },
): void {
  for (let at = 0; at < expected.length; at += 4) {
    const word = expected.subarray(at, at + 4);
    const mask = 2 ** (8 * word.length) - 1;
    const value = word.reduce((sum, byte, index) => sum + byte * 2 ** (8 * index), 0);
    const same = program.label();
    program.field(room.at(at), 0, mask, value).onZero(same);
    program.jump(otherwise);
    program.place(same);
  }
}
