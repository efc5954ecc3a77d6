/**
 * The engine's side of a bundle's root: looks at the host once, opens what only the engine may open, and tells the
 * plan (bundle_root.ts) what it has found. Nothing is changed on the host.
 */

import { UsageError } from "../../errors.ts";
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_PATH } from "../../linux/abi/fcntl.ts";
import { call, callRaw, cstr } from "../../linux/call.ts";
import { exists, readSmallText } from "../../linux/small_file.ts";
import { inheritedFd } from "../../linux/spawn.ts";
import type { Mount, RuntimeConfig } from "../../oci/bundle/config.ts";
import type { BundleRootHost, CgroupView, PreparedMount } from "./bundle_host.ts";
import { canMakeDevices } from "./can_make_devices.ts";
import { openDetached } from "./detached.ts";
import { fullKernelMounts } from "./host_mounts.ts";
import { absoluteSource } from "./paths.ts";
import { prepareMount } from "./prepare_mount.ts";

/** What the engine knows of the container. */
export interface RootRequest {
  /** Absolute path of the bundle. */
  readonly bundle: string;
  /** The container has a mount namespace, a new or a joined one. */
  readonly mountNamespace: boolean;
  /** It is in a user namespace other than this process's. */
  readonly userNamespace: boolean;
  /** Path of the user namespace that it joins; its maps are meant where config.json has none. */
  readonly userNamespacePath?: string;
  readonly noPivot: boolean;
  readonly cgroup: CgroupView;
  /** Index of the first descriptor that the program inherits for its root (inheritedFd). */
  readonly firstInherited: number;
  /** Path for a program where memfds may not be executed; it does not stay. */
  readonly programFile: string;
}

/** What the plan needs, and what the program has to inherit for it. */
export interface PreparedRoot extends Disposable {
  readonly host: BundleRootHost;
  /** From `firstInherited` on, in this order; closed when this is disposed of. */
  readonly inherit: readonly number[];
}

/** What is opened on the way. */
export interface Preparation {
  readonly config: RuntimeConfig;
  readonly request: RootRequest;
  readonly rootfs: string;
  /** A descriptor of the root directory. */
  readonly rootFd: number;
  /** Keeps a descriptor for the program. @returns its number there */
  readonly keep: (fd: number) => number;
}

/**
 * Prepares the root of a bundle.
 * @throws {UsageError} when the root directory or the source of a bind mount does not exist, or cannot be mapped.
 */
export async function prepareBundleRoot(config: RuntimeConfig, request: RootRequest): Promise<PreparedRoot> {
  const rootfs = absoluteSource(request.bundle, config.root?.path ?? "rootfs");
  const rootFd = callRaw("openat", AT_FDCWD, cstr(rootfs), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (rootFd < 0) throw new UsageError(`Cannot use "${rootfs}" as root: it is no directory`);
  const inherit: number[] = [];
  const close = () => {
    for (const fd of inherit) call("close", fd);
    inherit.length = 0;
  };
  const keep = (fd: number) => inheritedFd(request.firstInherited + inherit.push(fd) - 1);
  try {
    const host = await lookAtHost({ config, request, rootfs, rootFd, keep });
    return { host, inherit, [Symbol.dispose]: close };
  } catch (error) {
    close();
    throw error;
  } finally {
    call("close", rootFd);
  }
}

async function lookAtHost(preparation: Preparation): Promise<BundleRootHost> {
  const { config, request, rootfs, keep } = preparation;
  const { bundle, mountNamespace, userNamespace, noPivot, cgroup } = request;
  const tree =
    userNamespace && mountNamespace ? openDetached(rootfs, { recursive: true, nofollow: false }) : undefined;
  const mounts = new Map<Mount, PreparedMount>();
  const hidden: string[] = [];
  for (const mount of config.mounts ?? []) {
    const prepared = await prepareMount(mount, preparation, hidden);
    if (prepared !== undefined) mounts.set(mount, prepared);
  }
  return {
    bundle,
    rootfs,
    ...(tree === undefined ? {} : { rootFd: keep(tree) }),
    mountNamespace,
    userNamespace,
    bindDevices: userNamespace || !canMakeDevices(),
    noPivot,
    kernelMounts: noPivot ? fullKernelMounts(readSmallText("/proc/self/mountinfo") ?? "", rootfs) : [],
    cgroup,
    selinux: config.linux?.mountLabel ? exists("/sys/fs/selinux/enforce") : false,
    mounts,
  };
}
