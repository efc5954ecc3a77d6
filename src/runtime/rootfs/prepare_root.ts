/**
 * The engine's side of a bundle's root: looks at the host once, opens what only the engine may open, and tells the
 * plan (bundle_root.ts) what it has found. Nothing is changed on the host.
 */
import { UsageError } from "../../errors.ts";
import { AT_FDCWD, O_CLOEXEC, O_PATH, S_IFDIR, S_IFMT } from "../../linux/abi/fcntl.ts";
import { call, callRaw, cstr } from "../../linux/call.ts";
import { exists } from "../../linux/small_file.ts";
import { STAT_SIZE, statMode } from "../../linux/stat.ts";
import type { Mount, RuntimeConfig } from "../../oci/bundle/config.ts";
import type { BundleRootHost, CgroupView, PreparedMount } from "./bundle_host.ts";

/** What the engine knows of the container. */
export interface RootRequest {
  /** Absolute path of the bundle. */
  readonly bundle: string;
  /** The container has a mount namespace, a new or a joined one. */
  readonly mountNamespace: boolean;
  /** It is in a user namespace other than this process's. */
  readonly userNamespace: boolean;
  readonly noPivot: boolean;
  readonly cgroup: CgroupView;
  /** Index of the first descriptor that the program inherits for its root (inheritedFd). */
  readonly firstInherited: number;
}

/** What the plan needs, and what the program has to inherit for it. */
export interface PreparedRoot extends Disposable {
  readonly host: BundleRootHost;
  /** From `firstInherited` on, in this order; closed when this is disposed of. */
  readonly inherit: readonly number[];
}

const stat = new Uint8Array(new ArrayBuffer(STAT_SIZE));

/**
 * Prepares the root of a bundle.
 * @throws {UsageError} when the root directory or the source of a bind mount does not exist.
 */
export function prepareBundleRoot(config: RuntimeConfig, request: RootRequest): PreparedRoot {
  const { bundle, mountNamespace, userNamespace, noPivot, cgroup } = request;
  const rootfs = absolute(bundle, config.root?.path ?? "rootfs");
  if (!isDirectoryAt(rootfs)) throw new UsageError(`Cannot use "${rootfs}" as root: it is no directory`);
  const mounts = new Map<Mount, PreparedMount>();
  for (const mount of config.mounts ?? []) {
    const prepared = prepareMount(mount, bundle);
    if (prepared !== undefined) mounts.set(mount, prepared);
  }
  const host = {
    bundle,
    rootfs,
    mountNamespace,
    userNamespace,
    noPivot,
    cgroup,
    mounts,
    bindDevices: userNamespace,
    kernelMounts: [],
    selinux: exists("/sys/fs/selinux/enforce"),
  };
  return { host, inherit: [], [Symbol.dispose]: () => undefined };
}

const absolute = (bundle: string, path: string): string =>
  path.startsWith("/") ? path : `${bundle}/${path}`;

function prepareMount(mount: Mount, bundle: string): PreparedMount | undefined {
  const { options = [], source = "", destination } = mount;
  if (mount.type !== "bind" && !options.includes("bind") && !options.includes("rbind")) return undefined;
  const path = absolute(bundle, source);
  const mode = modeOf(path);
  if (mode === undefined)
    throw new UsageError(`Cannot mount "${path}" on "${destination}": the source does not exist`);
  return { sourceIsDirectory: (mode & S_IFMT) === S_IFDIR };
}

const isDirectoryAt = (path: string): boolean => ((modeOf(path) ?? 0) & S_IFMT) === S_IFDIR;

function modeOf(path: string): number | undefined {
  const fd = callRaw("openat", AT_FDCWD, cstr(path), O_PATH | O_CLOEXEC);
  if (fd < 0) return undefined;
  call("fstat", fd, stat);
  call("close", fd);
  return statMode(stat);
}
