/**
 * The command lines of criu(8) for checkpoint and restore. Pure. What a container shares with the machine is named as
 * external: criu writes the name down, and is told at restore what stands for it.
 */

/** How criu treats control groups: `criu --manage-cgroups`. */
export const CGROUP_MODES = ["soft", "full", "strict", "ignore"] as const;

/** How criu treats control groups. */
export type CgroupsMode = (typeof CGROUP_MODES)[number];

/** What both ways have; the flags of runc's checkpoint and restore. */
export interface CriuOptions {
  /** Absolute path of the program [where it is installed]. */
  readonly criu?: string;
  /** Directory of the images. */
  readonly imagePath: string;
  /** Directory of criu's log [that of the images]. */
  readonly workPath?: string;
  readonly tcpEstablished: boolean;
  readonly extUnixSk: boolean;
  readonly shellJob: boolean;
  readonly fileLocks: boolean;
  readonly autoDedup: boolean;
  readonly lazyPages: boolean;
  readonly manageCgroupsMode?: CgroupsMode;
  /** Namespaces that are made anew and empty; criu knows `network`. */
  readonly emptyNs: readonly string[];
}

/** The flags of checkpoint. */
export interface CheckpointOptions extends CriuOptions {
  /** Images of an earlier pre-dump, relative to those of this one. */
  readonly parentPath?: string;
  readonly leaveRunning: boolean;
  readonly preDump: boolean;
  readonly tcpSkipInFlight: boolean;
  readonly linkRemap: boolean;
  /** criu writes a NUL to it once pages can be asked for. */
  readonly statusFd?: number;
  /** `ADDRESS:PORT` */
  readonly pageServer?: string;
}

/** The flags of restore that are criu's. */
export interface RestoreFlags extends CriuOptions {
  /** `apparmor:NAME`, `selinux:LABEL` */
  readonly lsmProfile?: string;
  readonly lsmMountContext?: string;
}

/** A mount that is not in the images. */
export interface ExternalMount {
  /** Where it is in the container. */
  readonly mountpoint: string;
  /** What it is called in the images. */
  readonly name: string;
}

/** The container that is dumped. */
export interface DumpTarget {
  readonly pid: number;
  readonly root: string;
  readonly mounts: readonly ExternalMount[];
  /** Inode of a network namespace that was joined, and is not the container's own. */
  readonly networkInode?: number;
}

/** Where the processes are restored into. */
export interface RestoreTarget {
  /** A mount point. */
  readonly root: string;
  readonly pidFile: string;
  /** What stands for the names of external mounts. */
  readonly mounts: ReadonlyArray<{ readonly name: string; readonly source: string }>;
  /** Open files that take the place of those that were open: `fd[N]:pipe[123]`. */
  readonly inherited: readonly string[];
  /** Groups by controller. */
  readonly cgroups: Readonly<Record<string, string>>;
}

/** Name in the images of a network namespace that was joined. */
export const NETWORK_NAME = "extRootNetNS";

/** `criu dump …` or `criu pre-dump …` */
export function dumpArguments(options: CheckpointOptions, target: DumpTarget): string[] {
  const { pageServer, parentPath, statusFd } = options;
  return [
    options.preDump ? "pre-dump" : "dump",
    ...commonArguments(options, "dump.log"),
    ...["--tree", String(target.pid), "--root", target.root, "--evasive-devices"],
    ...(options.leaveRunning || options.preDump ? ["--leave-running"] : []),
    ...(options.preDump || parentPath !== undefined ? ["--track-mem"] : []),
    ...(parentPath === undefined ? [] : ["--prev-images-dir", parentPath]),
    ...(options.tcpSkipInFlight ? ["--skip-in-flight"] : []),
    ...(options.linkRemap ? ["--link-remap"] : []),
    ...(statusFd === undefined ? [] : ["--status-fd", String(statusFd)]),
    ...(pageServer === undefined ? [] : pageServerArguments(pageServer, options.lazyPages)),
    ...target.mounts.flatMap(({ mountpoint, name }) => ["--external", `mnt[${mountpoint}]:${name}`]),
    ...(target.networkInode === undefined
      ? []
      : ["--external", `net[${target.networkInode}]:${NETWORK_NAME}`]),
  ];
}

/** `criu restore …` */
export function restoreArguments(options: RestoreFlags, target: RestoreTarget): string[] {
  const { lsmProfile, lsmMountContext } = options;
  return [
    "restore",
    ...commonArguments(options, "restore.log"),
    ...["--restore-detached", "--restore-sibling", "--pidfile", target.pidFile, "--root", target.root],
    ...(lsmProfile === undefined ? [] : ["--lsm-profile", lsmProfile]),
    ...(lsmMountContext === undefined ? [] : ["--lsm-mount-context", lsmMountContext]),
    ...target.mounts.flatMap(({ name, source }) => ["--external", `mnt[${name}]:${source}`]),
    ...target.inherited.flatMap((resource) => ["--inherit-fd", resource]),
    ...Object.entries(target.cgroups).flatMap(([controller, path]) => [
      "--cgroup-root",
      controller === "" ? path : `${controller}:${path}`,
    ]),
  ];
}

function commonArguments(options: CriuOptions, log: string): string[] {
  return [
    ...["--images-dir", options.imagePath, "--work-dir", options.workPath ?? options.imagePath],
    ...["--log-file", log, "-v4", "--no-default-config"],
    `--manage-cgroups=${options.manageCgroupsMode ?? "soft"}`,
    ...(options.tcpEstablished ? ["--tcp-established"] : []),
    ...(options.extUnixSk ? ["--ext-unix-sk"] : []),
    ...(options.shellJob ? ["--shell-job"] : []),
    ...(options.fileLocks ? ["--file-locks"] : []),
    ...(options.autoDedup ? ["--auto-dedup"] : []),
    ...(options.lazyPages ? ["--lazy-pages"] : []),
    ...options.emptyNs.flatMap((name) => ["--empty-ns", name === "network" ? "net" : name]),
  ];
}

function pageServerArguments(text: string, lazy: boolean): string[] {
  const colon = text.lastIndexOf(":");
  const place = ["--address", text.slice(0, colon), "--port", text.slice(colon + 1)];
  // With lazy pages criu itself serves them there.
  return lazy ? place : ["--page-server", ...place];
}
