/** /proc, /sys and the container's view of its control group (config-linux.md#default-filesystems). */
import { AT_FDCWD, AT_RECURSIVE, O_DIRECTORY, O_PATH } from "../../linux/abi/fcntl.ts";
import {
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  OPEN_TREE_CLONE,
} from "../../linux/abi/mount.ts";
import type { Program } from "../../linux/program.ts";
import type { Variable } from "../../linux/step.ts";
import type { Mount } from "../spec/config.ts";
import { attach, planDefault, planFilesystem, setAttributes } from "./mounts.ts";
import { openRealDirectory } from "./target.ts";

const hardened = ["nosuid", "noexec", "nodev"];
const proc: Mount = { destination: "/proc", type: "proc", source: "proc", options: hardened };
const sysfs: Omit<Mount, "options"> = { destination: "/sys", type: "sysfs", source: "sysfs" };
const CGROUP_DIRECTORY = "/sys/fs/cgroup";

/** What of the kernel is shown, and how. */
export interface KernelFilesystems {
  /** `cgroup2`, or version 1 controllers. */
  readonly cgroupMounts: readonly string[];
  readonly writable: boolean;
}

/** Mounts /proc and /sys, and below /sys/fs/cgroup the hierarchies named. */
export function planKernelFilesystems(
  program: Program,
  root: Variable,
  { cgroupMounts, writable }: KernelFilesystems,
): void {
  const options = writable ? hardened : [...hardened, "ro"];
  planDefault(program, proc, { root });
  // Whoever does not own the network namespace cannot mount sysfs: the host's is taken, read-only.
  planDefault(
    program,
    { ...sysfs, options },
    { root, fallback: (target) => attach(program, planHostSys(program), target) },
  );
  if (cgroupMounts[0] === "cgroup2") {
    planDefault(
      program,
      { destination: CGROUP_DIRECTORY, type: "cgroup2", source: "cgroup", options },
      { root },
    );
  } else if (cgroupMounts.length > 0) {
    planCgroupsV1(program, root, { controllers: cgroupMounts, options });
  }
}

/** A read-only copy of the host's /sys with all that is mounted below, attached nowhere. */
export function planHostSys(program: Program): Variable {
  const copy = program.open_tree(AT_FDCWD, "/sys", OPEN_TREE_CLONE | AT_RECURSIVE).result;
  const attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  setAttributes(program, copy, { attributes, propagation: 0, recursive: true });
  return copy;
}

/** Version 1 has a hierarchy for each controller: a tmpfs with a directory for each. */
function planCgroupsV1(
  program: Program,
  root: Variable,
  { controllers, options }: { readonly controllers: readonly string[]; readonly options: readonly string[] },
): void {
  const done = program.label();
  program.section(`mount cgroup on "${CGROUP_DIRECTORY}"`);
  const target = openRealDirectory(program, root, CGROUP_DIRECTORY).onError(done).result;
  const tmpfs = { type: "tmpfs", source: "tmpfs", options: [...hardened, "mode=755"] };
  const directory = planFilesystem(program, tmpfs, done);
  attach(program, directory, target);
  for (const controller of controllers) {
    const skip = program.label();
    program.mkdirat(directory, controller, 0o755);
    const place = program.openat(directory, controller, O_PATH | O_DIRECTORY).result;
    const mount = { type: "cgroup", source: "cgroup", options: [...options, controller] };
    attach(program, planFilesystem(program, mount, skip), place);
    program.place(skip);
  }
  setAttributes(program, directory, { attributes: MOUNT_ATTR_RDONLY, propagation: 0, recursive: false });
  program.place(done);
}
