/**
 * The root of a bundle (config.md#root, #mounts; config-linux.md): steps that assemble it from config.json. Whoever
 * plans the container adds its hooks, and then the way in (enter_root.ts).
 *
 *     the host's mounts become slaves ── sources are opened ── root ── mounts ── devices │ hooks │ masks ── pivot
 */

import { UsageError } from "../../errors.ts";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_RECURSIVE,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
} from "../../linux/abi/fcntl.ts";
import { STATX_BASIC_STATS, STATX_SIZE, statxOffsets } from "../../linux/abi/file.ts";
import {
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_SYMLINKS,
  MS_PRIVATE,
  MS_REC,
  MS_SHARED,
  MS_SLAVE,
  MS_UNBINDABLE,
  OPEN_TREE_CLONE,
} from "../../linux/abi/mount.ts";
import type { Program } from "../../linux/program.ts";
import type { Variable } from "../../linux/step.ts";
import type { RuntimeConfig } from "../../oci/bundle/config.ts";
import { planBundleDevices } from "./bundle_devices.ts";
import type { BundleRootHost } from "./bundle_host.ts";
import { decideMounts, planMounts, planSources } from "./bundle_mounts.ts";
import type { BundleRoot } from "./enter_root.ts";
import type { MaskPlan } from "./mask.ts";
import { setAttributes } from "./mounts.ts";
import { cleanPath } from "./paths.ts";
import type { Assembly } from "./place.ts";

/**
 * Adds the steps that assemble the root; the umask is 0 afterwards.
 * @throws {UsageError} for what must not or cannot be mounted.
 */
export function planBundleRoot(program: Program, config: RuntimeConfig, host: BundleRootHost): BundleRoot {
  program.section("make files with the modes that are asked for").umask(0);
  if (!host.mountNamespace) return planBareRoot(program, config, host);
  const { linux = {} } = config;
  const decided = decideMounts(config, host);
  const shared = /^r?shared$/.test(linux.rootfsPropagation ?? "");
  // Slave, not private: a private copy would pin mounts that the host unmounts meanwhile (mount_namespaces(7)).
  program
    .section("detach the mounts from the host's")
    .mount(null, "/", null, shared ? MS_SHARED : MS_REC | MS_SLAVE);
  const nothing = (linux.maskedPaths ?? []).length > 0 ? planHostNull(program) : undefined;
  const sources = planSources(program, decided);
  const root = planRootMount(program, host, linux.rootfsPropagation);
  const assembly: Assembly = { root, mounted: new Map() };
  const late = planMounts(program, decided, { assembly, sources, host });
  const hostDev = decided.some(({ kind, destination }) => kind === "bind" && destination === "/dev");
  const { devices = [] } = linux;
  const dev = hostDev ? undefined : planBundleDevices(program, { assembly, devices, bind: host.bindDevices });
  return {
    root,
    dev,
    masks: masksOf(config, {
      root,
      nothing,
      dev: assembly.mounted.get("/dev")?.type === "tmpfs" ? dev : undefined,
    }),
    late,
    readonly: config.root?.readonly === true,
    entry: host.noPivot ? { kind: "move", kernelMounts: host.kernelMounts } : { kind: "pivot", shared },
    propagation: finalPropagation(linux.rootfsPropagation),
  };
}

/** Without a mount namespace any mount would be one of the host. */
function planBareRoot(program: Program, config: RuntimeConfig, host: BundleRootHost): BundleRoot {
  const { linux = {} } = config;
  const asked = {
    mounts: (config.mounts ?? []).length > 0,
    "root.readonly": config.root?.readonly === true,
    "linux.maskedPaths": (linux.maskedPaths ?? []).length > 0,
    "linux.readonlyPaths": (linux.readonlyPaths ?? []).length > 0,
    "linux.rootfsPropagation": linux.rootfsPropagation !== undefined && linux.rootfsPropagation !== "",
  };
  for (const [name, present] of Object.entries(asked)) {
    if (present)
      throw new UsageError(`Cannot honour ${name}: the container has no mount namespace`, {
        hint: 'Add {"type": "mount"} to linux.namespaces',
      });
  }
  const root = program.section("open the root directory").variable("root");
  program.openat(AT_FDCWD, host.rootfs, O_PATH | O_DIRECTORY).into(root);
  const assembly: Assembly = { root, mounted: new Map() };
  const dev = planBundleDevices(program, { assembly, devices: linux.devices ?? [], bind: false });
  return {
    root,
    dev,
    masks: undefined,
    late: [],
    readonly: false,
    entry: { kind: "chroot" },
    propagation: 0,
  };
}

/** The host's /dev/null, which must be just that: what covers masked files (CVE-2025-31133). */
function planHostNull(program: Program): Variable {
  const verified = program.label();
  program.section('open "/dev/null" of the host');
  const nothing = program.openat(AT_FDCWD, "/dev/null", O_PATH | O_NOFOLLOW).result;
  const statx = program.room(STATX_SIZE);
  program.step("statx", nothing, "", AT_EMPTY_PATH, STATX_BASIC_STATS, statx);
  program.field(statx.at(statxOffsets.rdevMajor), 0, -1, 3 * 2 ** 32 + 1).onZero(verified);
  // Fails, as a directory is what it is not.
  program.openat(AT_FDCWD, "/dev/null", O_PATH | O_NOFOLLOW | O_DIRECTORY);
  program.place(verified);
  return nothing;
}

/** A root must be a mount point to be pivoted to: the directory is mounted onto itself. */
function planRootMount(program: Program, host: BundleRootHost, propagation = ""): Variable {
  const root = program.variable("root");
  program.section("mount the root directory");
  const shared = /^r?shared$/.test(propagation);
  if (shared) planPrivateParent(program, host.rootfs);
  if (host.rootFd === undefined)
    program.open_tree(AT_FDCWD, host.rootfs, OPEN_TREE_CLONE | AT_RECURSIVE).into(root);
  else program.add(host.rootFd, 0).into(root);
  const isPrivate = /^r?private$/.test(propagation);
  if (shared || isPrivate)
    setAttributes(program, root, {
      attributes: 0,
      propagation: MS_PRIVATE,
      recursive: shared || propagation === "rprivate",
    });
  const attached = program.label();
  // The directory may be named by a symbolic link; the bundle is the caller's.
  const flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS;
  const move = (path: string) => program.move_mount(root, "", AT_FDCWD, path, flags);
  // The program may not be allowed to look the directory up, in its user namespace: then anywhere will do.
  if (host.rootFd !== undefined) move(host.rootfs).onSuccess(attached).ignoreErrors();
  move(host.rootFd === undefined ? host.rootfs : "/");
  program.place(attached);
  return root;
}

/** Makes the mount that holds the directory private: what is mounted on it would reach the host, and pivot_root fails. */
function planPrivateParent(program: Program, directory: string): void {
  const done = program.label();
  for (let path = directory; path !== "/"; path = path.slice(0, path.lastIndexOf("/")) || "/")
    program.mount(null, path, null, MS_PRIVATE).onSuccess(done).ignoreErrors();
  program.mount(null, "/", null, MS_PRIVATE);
  program.place(done);
}

function masksOf(
  { linux = {} }: RuntimeConfig,
  { root, nothing, dev }: Pick<MaskPlan, "root" | "dev"> & { readonly nothing: Variable | undefined },
): MaskPlan | undefined {
  const maskedPaths = (linux.maskedPaths ?? []).map(cleanPath);
  const readonlyPaths = (linux.readonlyPaths ?? []).map(cleanPath);
  if (maskedPaths.length + readonlyPaths.length === 0) return undefined;
  return { root, nothing: nothing ?? root, dev, maskedPaths, readonlyPaths };
}

/** MS_* flags that "/" gets after all; what makes it private has been done while the root was attached nowhere. */
function finalPropagation(name = ""): number {
  const types: Readonly<Record<string, number>> = {
    shared: MS_SHARED,
    slave: MS_SLAVE,
    unbindable: MS_UNBINDABLE,
  };
  const recursive = name.startsWith("r") ? MS_REC : 0;
  const type = types[recursive === 0 ? name : name.slice(1)];
  return type === undefined ? 0 : type | recursive;
}
