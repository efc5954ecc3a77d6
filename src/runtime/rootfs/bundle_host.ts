/** What of the host the root of a bundle depends on, as data: what the plan is made from besides config.json. */
import type { Mount } from "../../oci/bundle/config.ts";

/** A hierarchy of control groups, as the container is to see it. */
export interface CgroupHierarchy {
  /** Name below /sys/fs/cgroup: `cpu,cpuacct`, `systemd`, `unified`; "" for the one of version 2. */
  readonly name: string;
  /** Absolute path on the host of what is shown: the container's own group, or the whole hierarchy. */
  readonly hostPath: string;
}

/** Name of the slot for the path of a hierarchy: it holds the container's id. */
export const cgroupSlot = (name: string): string => `cgroup ${name}`;

/** What is shown where a mount of type `cgroup` is asked for. */
export type CgroupView =
  /** One hierarchy, whichever version its filesystem has. */
  | { readonly kind: "unified"; readonly hostPath: string }
  | { readonly kind: "controllers"; readonly hierarchies: readonly CgroupHierarchy[] }
  /** Control groups are nobody's: cgroup2 is mounted where the kernel allows it. */
  | { readonly kind: "none" };

/** What has been found out about one mount of the configuration. */
export interface PreparedMount {
  /** For a bind mount: what its source is. */
  readonly sourceIsDirectory?: boolean;
  /** Number in the program of a detached mount that takes the place of the source. */
  readonly fd?: number;
  /** For a bind mount: its source is the root of a procfs. */
  readonly procfs?: boolean;
  /** Target of the symbolic link that the source is: `copy-symlink`. */
  readonly link?: string;
  /** Destination after links of the image. */
  readonly destination?: string;
  /** Permissions of the directory that a tmpfs covers, octal. */
  readonly mode?: string;
}

/** What the plan of a bundle's root depends on besides its config.json. */
export interface BundleRootHost {
  /** Absolute path of the bundle, which sources of bind mounts are relative to. */
  readonly bundle: string;
  /** Absolute path of the root directory. */
  readonly rootfs: string;
  /** Number in the program of a detached mount of the root directory, where the program could not reach it. */
  readonly rootFd?: number;
  /** The container has a mount namespace, a new or a joined one. */
  readonly mountNamespace: boolean;
  /** It is in a user namespace other than this process's. */
  readonly userNamespace: boolean;
  /** mknod(2) is refused: device nodes come from the host. */
  readonly bindDevices: boolean;
  /** --no-pivot: the root is moved over "/" and entered by chroot(2). */
  readonly noPivot: boolean;
  /** Mount points of procfs and sysfs on the host, hidden before chroot(2): `noPivot`. */
  readonly kernelMounts: readonly string[];
  readonly cgroup: CgroupView;
  readonly selinux: boolean;
  /** By mount; without an entry a mount is as its configuration says, and a bind mount's source a directory. */
  readonly mounts: ReadonlyMap<Mount, PreparedMount>;
}
