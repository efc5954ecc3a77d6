/**
 * Masked and read-only paths (config-linux.md#masked-paths). Targets are opened inside the root and used as
 * descriptors ever after; what is mounted over them comes from this program or the host, never from the image, whose
 * /dev/null could be anything (CVE-2025-31133).
 */

import { ENOENT } from "../../linux/abi/errno.ts";
import { AT_EMPTY_PATH, AT_RECURSIVE, AT_REMOVEDIR, O_DIRECTORY, O_PATH } from "../../linux/abi/fcntl.ts";
import {
  MNT_DETACH,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  OPEN_TREE_CLONE,
} from "../../linux/abi/mount.ts";
import type { Program } from "../../linux/program.ts";
import type { Label, Variable } from "../../linux/step.ts";
import { attach, planFilesystem, setAttributes } from "./mounts.ts";
import { isReal } from "./paths.ts";
import { compareError, openFollowed, openTarget } from "./target.ts";

/** Descriptors that masking needs. */
export interface MaskPlan {
  readonly root: Variable;
  /** /dev/null, verified or made by this program. */
  readonly nothing: Variable;
  /** A /dev of our own, where the empty directory can be made; otherwise it is a filesystem of its own. */
  readonly dev: Variable | undefined;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
}

/** Hides the masked paths and makes the read-only ones read-only; a path that does not exist is passed over. */
export function planMasks(program: Program, plan: MaskPlan): void {
  if (plan.maskedPaths.length > 0) {
    const empty = program.section("mask paths").variable("empty");
    if (plan.dev === undefined) planEmptyFilesystem(program, plan.root, empty);
    else planEmptyDirectory(program, plan.dev, empty);
    for (const path of plan.maskedPaths) planMask(program, path, { ...plan, empty });
    planEmptyRemoval(program, plan.dev, empty);
  }
  for (const path of plan.readonlyPaths) planReadonly(program, path, plan.root);
}

/**
 * One empty directory of our /dev serves for all, mounted on itself read-only: a superblock less than a tmpfs of its
 * own. Its name is taken away afterwards, so nothing can ever be made in it.
 */
function planEmptyDirectory(program: Program, dev: Variable, empty: Variable): void {
  program.mkdirat(dev, ".empty", 0o755);
  const copy = program.open_tree(dev, ".empty", OPEN_TREE_CLONE).result;
  const attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
  setAttributes(program, copy, { attributes, propagation: 0, recursive: false });
  attach(program, copy, program.openat(dev, ".empty", O_PATH | O_DIRECTORY).result);
  program.openat(dev, ".empty", O_PATH | O_DIRECTORY).into(empty);
}

/** Stacked on the root while copies are made, since what is attached nowhere cannot be copied (before Linux 6.15). */
function planEmptyFilesystem(program: Program, root: Variable, empty: Variable): void {
  const options = ["ro", "nodev", "nosuid", "noexec", "mode=755", "nr_inodes=1"];
  program.add(planFilesystem(program, { type: "tmpfs", source: "tmpfs", options }), 0).into(empty);
  attach(program, empty, root);
}

/** The place has served; the copies stay. */
function planEmptyRemoval(program: Program, dev: Variable | undefined, empty: Variable): void {
  program.section("mask paths").fchdir(empty);
  program.umount2(".", MNT_DETACH);
  if (dev !== undefined) program.unlinkat(dev, ".empty", AT_REMOVEDIR);
}

interface MaskTarget extends MaskPlan {
  readonly empty: Variable;
}

/** The empty directory goes onto directories only; the kernel refuses it for anything else, which /dev/null covers. */
function planMask(program: Program, path: string, { root, nothing, empty }: MaskTarget): void {
  const done = program.label();
  program.section(`mask "${path}"`);
  const target = openIfThere(program, root, { path, done });
  attach(program, copyOf(program, empty), target).onSuccess(done).ignoreErrors();
  attach(program, copyOf(program, nothing), target);
  program.place(done);
}

const copyOf = (program: Program, mount: Variable): Variable =>
  program.open_tree(mount, "", OPEN_TREE_CLONE | AT_EMPTY_PATH).result;

function planReadonly(program: Program, path: string, root: Variable): void {
  const done = program.label();
  program.section(`make "${path}" read-only`);
  const target = openIfThere(program, root, { path, done });
  const copy = program.open_tree(target, "", OPEN_TREE_CLONE | AT_EMPTY_PATH | AT_RECURSIVE).result;
  setAttributes(program, copy, { attributes: MOUNT_ATTR_RDONLY, propagation: 0, recursive: true });
  attach(program, copy, target);
  program.place(done);
}

/** Goes on at `done` when nothing is there; what else keeps it from being opened is an error, not a path unmasked. */
function openIfThere(
  program: Program,
  root: Variable,
  { path, done }: { readonly path: string; readonly done: Label },
): Variable {
  const target = program.variable("target");
  const found = program.label();
  if (!isReal(path)) {
    openFollowed(program, { root, found: target }, { path, missing: done });
    return target;
  }
  // No path of a kernel's filesystem that is worth masking leads through a link.
  openTarget(program, root, path).into(target).ignoreErrors().onSuccess(found);
  compareError(program, target, ENOENT).onZero(done).onPositive(program.giveUp);
  program.place(found);
  return target;
}
