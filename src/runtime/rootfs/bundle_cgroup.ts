/**
 * A mount of type `cgroup` (config-linux.md#control-groups): the container's own group, or in version 1 a directory
 * with one for each hierarchy. The host's mounts are bound: in a namespace of control groups the kernel shows their
 * roots as "/", and neither a superblock is made nor the right to make one needed.
 */
import { AT_FDCWD } from "../../linux/abi/fcntl.ts";
import { MOUNT_ATTR_RDONLY, MOVE_MOUNT_F_EMPTY_PATH, OPEN_TREE_CLONE } from "../../linux/abi/mount.ts";
import type { Program } from "../../linux/program.ts";
import type { Variable } from "../../linux/step.ts";
import { type CgroupHierarchy, type CgroupView, cgroupSlot } from "./bundle_host.ts";
import type { BundleMount } from "./bundle_mounts.ts";
import { parseMountOptions } from "./mount_options.ts";
import { planDetached, setAttributes } from "./mounts.ts";
import { type Assembly, planAttach } from "./place.ts";

/** Where the mount goes and what it shows. */
export interface CgroupMountPlan {
  readonly assembly: Assembly;
  readonly view: CgroupView;
}

/** Mounts the view. */
export function planCgroupMount(
  program: Program,
  decided: BundleMount,
  { assembly, view }: CgroupMountPlan,
): void {
  const place = { path: decided.destination, kind: "directory" as const };
  if (view.kind === "controllers") {
    const { hierarchies } = view;
    planControllers(program, { decided, assembly, hierarchies });
    return;
  }
  const mount =
    view.kind === "unified"
      ? bound(program, { name: "", hostPath: view.hostPath }, decided)
      : planDetached(program, { ...decided, type: "cgroup2" });
  planAttach(program, { mount, type: "cgroup2" }, { assembly, place });
}

function bound(program: Program, { name, hostPath }: CgroupHierarchy, { options }: BundleMount): Variable {
  const copy = program.open_tree(AT_FDCWD, program.slot(cgroupSlot(name), hostPath), OPEN_TREE_CLONE).result;
  const { attributes, cleared, recursive } = options;
  setAttributes(program, copy, {
    attributes: attributes | (recursive?.set ?? 0),
    // A read-only mount of the host stays so: what the host forbids itself no container needs.
    cleared: cleared & ~MOUNT_ATTR_RDONLY,
    propagation: options.propagation?.type ?? 0,
    recursive: false,
  });
  return copy;
}

const DIRECTORY_OPTIONS = ["nosuid", "noexec", "nodev", "mode=755"];

function planControllers(
  program: Program,
  {
    decided,
    assembly,
    hierarchies,
  }: Pick<CgroupMountPlan, "assembly"> & {
    readonly decided: BundleMount;
    readonly hierarchies: Extract<CgroupView, { kind: "controllers" }>["hierarchies"];
  },
): void {
  const tmpfs = { type: "tmpfs", source: "tmpfs", options: parseMountOptions(DIRECTORY_OPTIONS) };
  const directory = planDetached(program, tmpfs);
  const place = { path: decided.destination, kind: "directory" as const };
  planAttach(program, { mount: directory, type: "cgroup" }, { assembly, place });
  for (const { name, hostPath } of hierarchies) {
    program.mkdirat(directory, name, 0o755);
    program.move_mount(
      bound(program, { name, hostPath }, decided),
      "",
      directory,
      name,
      MOVE_MOUNT_F_EMPTY_PATH,
    );
    const controllers = name.split(",");
    if (controllers.length > 1)
      for (const controller of controllers) program.symlinkat(name, directory, controller);
  }
  if ((decided.options.attributes & MOUNT_ATTR_RDONLY) === 0) return;
  setAttributes(program, directory, { attributes: MOUNT_ATTR_RDONLY, propagation: 0, recursive: false });
}
