/** Makes the assembled root the process's root, and leaves nothing of the host behind it. */
import { MNT_DETACH, MS_MOVE } from "../../linux/abi/mount.ts";
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

/** Enters a root where mount(2) is refused. */
export function planChroot(program: Program, root: Variable): void {
  program.section("enter the root directory").fchdir(root);
  program.chroot(".");
  program.chdir("/");
}
