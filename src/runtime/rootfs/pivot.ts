/** Makes the assembled root the process's root, and leaves nothing of the host behind it. */
import { AT_FDCWD, O_DIRECTORY, O_PATH } from "../../linux/abi/fcntl.ts";
import { MNT_DETACH, MS_MOVE, MS_REC, MS_SLAVE } from "../../linux/abi/mount.ts";
import type { Program } from "../../linux/program.ts";
import type { Variable } from "../../linux/step.ts";

/** Enters `root`: pivot_root(2), or where a sandbox forbids that, moving it over "/" and chroot(2). */
export function planPivot(program: Program, root: Variable): void {
  const moved = program.label();
  const entered = program.label();
  program.section("enter the root directory").fchdir(root);
  // Both arguments are the new root: the kernel then stacks the old root on top of it, so no directory has to be
  // made inside the image, which may be read-only (pivot_root(2), NOTES).
  program.pivot_root(".", ".").onError(moved);
  program.umount2(".", MNT_DETACH).onSuccess(entered);
  // Docker's seccomp profile never allows pivot_root, whatever capabilities are added.
  program.place(moved);
  program.mount(".", "/", null, MS_MOVE);
  program.chroot(".");
  program.place(entered).chdir("/");
}

/**
 * Enters `root` by pivot_root(2) alone.
 * @param shared the old root's mounts are peers of the host's, where they would be unmounted too
 */
export function planPivotOnly(program: Program, root: Variable, shared: boolean): void {
  program.section("enter the root directory");
  const old = shared ? program.openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY).result : undefined;
  program.fchdir(root);
  program.pivot_root(".", ".");
  if (old !== undefined) {
    // "." alone would be the new root, below the old one.
    program.fchdir(old);
    program.mount(null, ".", null, MS_SLAVE | MS_REC);
  }
  program.umount2(".", MNT_DETACH);
  program.chdir("/");
}

/** Enters `root` by moving it over "/"; everything of the host but `kernelMounts` stays mounted below it. */
export function planMove(program: Program, root: Variable, kernelMounts: readonly string[]): void {
  for (const path of kernelMounts) {
    const hidden = program.label();
    // Who can mount anything may mount a procfs where a whole one is visible already (mount_namespaces(7)).
    program.section(`hide "${path}" of the host`).umount2(path, MNT_DETACH).onSuccess(hidden).ignoreErrors();
    program.mount("tmpfs", path, "tmpfs", 0);
    program.place(hidden);
  }
  program.section("enter the root directory").fchdir(root);
  program.mount(".", "/", null, MS_MOVE);
  program.chroot(".");
  program.chdir("/");
}

/** Enters a root where mount(2) is refused. */
export function planChroot(program: Program, root: Variable): void {
  program.section("enter the root directory").fchdir(root);
  program.chroot(".");
  program.chdir("/");
}
