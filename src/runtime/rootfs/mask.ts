/**
 * Masked and read-only paths (config-linux.md#masked-paths). Targets are opened without following symbolic links and
 * used as descriptors ever after; what is mounted over them comes from our own /dev, never from
 * the image, whose /dev/null could be anything (CVE-2025-31133).
 */
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
import type { Variable } from "../../linux/step.ts";
import { attach, setAttributes } from "./mounts.ts";
import { openRealDirectory, openRealTarget } from "./target.ts";

/** Descriptors that masking needs. */
export interface MaskPlan {
  readonly root: Variable;
  /** Our own /dev. */
  readonly dev: Variable;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
}

/** Hides the masked paths and makes the read-only ones read-only; a path that does not exist is passed over. */
export function planMasks(program: Program, plan: MaskPlan): void {
  const empty = program.section("mask paths").variable("empty");
  if (plan.maskedPaths.length > 0) planEmptyDirectory(program, plan.dev, empty);
  for (const path of plan.maskedPaths) planMask(program, path, { ...plan, empty });
  if (plan.maskedPaths.length > 0) planEmptyRemoval(program, plan.dev, empty);
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

/** The place in /dev has served; the copies stay. */
function planEmptyRemoval(program: Program, dev: Variable, empty: Variable): void {
  program.section("mask paths").fchdir(empty);
  program.umount2(".", MNT_DETACH);
  program.unlinkat(dev, ".empty", AT_REMOVEDIR);
}

interface MaskTarget extends MaskPlan {
  readonly empty: Variable;
}

function planMask(program: Program, path: string, { root, dev, empty }: MaskTarget): void {
  const done = program.label();
  const file = program.label();
  program.section(`mask "${path}"`);
  const directory = openRealDirectory(program, root, path).onError(file).result;
  attach(program, program.open_tree(empty, "", OPEN_TREE_CLONE | AT_EMPTY_PATH).result, directory).onSuccess(
    done,
  );
  program.place(file);
  const target = openRealTarget(program, root, path).onError(done).result;
  attach(program, program.open_tree(dev, "null", OPEN_TREE_CLONE).result, target);
  program.place(done);
}

function planReadonly(program: Program, path: string, root: Variable): void {
  const done = program.label();
  program.section(`make "${path}" read-only`);
  const target = openRealTarget(program, root, path).onError(done).result;
  const copy = program.open_tree(target, "", OPEN_TREE_CLONE | AT_EMPTY_PATH | AT_RECURSIVE).result;
  setAttributes(program, copy, { attributes: MOUNT_ATTR_RDONLY, propagation: 0, recursive: true });
  attach(program, copy, target);
  program.place(done);
}
