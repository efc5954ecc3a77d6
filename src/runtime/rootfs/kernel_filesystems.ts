/** /proc, /sys and the container's view of its control group (config-linux.md#default-filesystems). */
import { AT_FDCWD, AT_RECURSIVE, O_DIRECTORY, O_PATH } from "../../linux/abi/fcntl.ts";
import { MOUNT_ATTR_RDONLY, OPEN_TREE_CLONE } from "../../linux/abi/mount.ts";
import type { Program } from "../../linux/program.ts";
import type { Variable } from "../../linux/step.ts";
import type { Mount } from "../spec/config.ts";
import { attach, planDefault, planFilesystem, setAttributes } from "./mounts.ts";
import { openRealDirectory } from "./target.ts";

const hardened = ["nosuid", "noexec", "nodev"];
const proc: Mount = { destination: "/proc", type: "proc", source: "proc", options: hardened };
const sysfs: Mount = { destination: "/sys", type: "sysfs", source: "sysfs", options: [...hardened, "ro"] };
const CGROUP_DIRECTORY = "/sys/fs/cgroup";

/** Mounts /proc and /sys, and below /sys/fs/cgroup the hierarchies named (`cgroup2`, or v1 controllers). */
export function planKernelFilesystems(
  program: Program,
  root: Variable,
  { cgroupMounts }: { readonly cgroupMounts: readonly string[] },
): void {
  planDefault(program, proc, { root });
  // Whoever does not own the network namespace cannot mount sysfs: the host's is taken, read-only.
  planDefault(program, sysfs, { root, fallback: (target) => planHostSys(program, target) });
  if (cgroupMounts[0] === "cgroup2") {
    const options = [...hardened, "ro"];
    planDefault(
      program,
      { destination: CGROUP_DIRECTORY, type: "cgroup2", source: "cgroup", options },
      { root },
    );
  } else if (cgroupMounts.length > 0) {
    planCgroupsV1(program, root, cgroupMounts);
  }
}

function planHostSys(program: Program, target: Variable): void {
  const copy = program.open_tree(AT_FDCWD, "/sys", OPEN_TREE_CLONE | AT_RECURSIVE).result;
  setAttributes(program, copy, { attributes: MOUNT_ATTR_RDONLY, propagation: 0, recursive: true });
  attach(program, copy, target);
}

/** Version 1 has a hierarchy for each controller: a tmpfs with a directory for each. */
function planCgroupsV1(program: Program, root: Variable, controllers: readonly string[]): void {
  const done = program.label();
  program.section(`mount cgroup on "${CGROUP_DIRECTORY}"`);
  const target = openRealDirectory(program, root, CGROUP_DIRECTORY).onError(done).result;
  const options = ["nosuid", "noexec", "nodev", "mode=755"];
  const directory = planFilesystem(program, { type: "tmpfs", source: "tmpfs", options }, done);
  attach(program, directory, target);
  for (const controller of controllers) {
    const skip = program.label();
    program.mkdirat(directory, controller, 0o755);
    const place = program.openat(directory, controller, O_PATH | O_DIRECTORY).result;
    const mount = { type: "cgroup", source: "cgroup", options: [...hardened, "ro", controller] };
    attach(program, planFilesystem(program, mount, skip), place);
    program.place(skip);
  }
  setAttributes(program, directory, { attributes: MOUNT_ATTR_RDONLY, propagation: 0, recursive: false });
  program.place(done);
}
