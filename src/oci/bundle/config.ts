/**
 * config.json of a bundle as runtime-spec 1.3 has it (config.md, config-linux.md): names, units and shapes are the
 * specification's. parse.ts makes one of bytes and checks everything that can be checked without a kernel.
 */

/** A whole number of 64 bits: a bigint where a double could not hold it. */
export type Int64 = number | bigint;

/** config.md#root */
export interface Root {
  /** Absolute, or relative to the bundle. */
  readonly path: string;
  readonly readonly?: boolean;
}

/** config.md#mounts */
export interface Mount {
  /** Absolute path in the container; relative ones are taken from "/". */
  readonly destination: string;
  readonly type?: string;
  readonly source?: string;
  readonly options?: readonly string[];
  readonly uidMappings?: readonly IdMapping[];
  readonly gidMappings?: readonly IdMapping[];
}

/** config-linux.md#user-namespace-mappings */
export interface IdMapping {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

/** config.md#posix-platform-user */
export interface User {
  readonly uid: number;
  readonly gid: number;
  readonly umask?: number;
  readonly additionalGids?: readonly number[];
}

/** config.md#posix-process */
export interface Rlimit {
  /** `RLIMIT_NOFILE` … */
  readonly type: string;
  readonly soft: Int64;
  readonly hard: Int64;
}

/** config.md#linux-process: sets of `CAP_…` names. */
export interface Capabilities {
  readonly bounding?: readonly string[];
  readonly effective?: readonly string[];
  readonly inheritable?: readonly string[];
  readonly permitted?: readonly string[];
  readonly ambient?: readonly string[];
}

/** config.md#linux-process, sched_setattr(2) */
export interface Scheduler {
  /** `SCHED_OTHER` … */
  readonly policy: string;
  readonly nice?: number;
  readonly priority?: number;
  /** `SCHED_FLAG_…` */
  readonly flags?: readonly string[];
  /** Nanoseconds. */
  readonly runtime?: Int64;
  readonly deadline?: Int64;
  readonly period?: Int64;
}

/** config.md#linux-process, ioprio_set(2) */
export interface IoPriority {
  /** `IOPRIO_CLASS_RT`, `_BE` or `_IDLE`. */
  readonly class: string;
  readonly priority: number;
}

/** config.md#process */
export interface Process {
  readonly terminal?: boolean;
  readonly consoleSize?: { readonly height: number; readonly width: number };
  /** Absolute path in the container. */
  readonly cwd: string;
  readonly env?: readonly string[];
  /** Absent only before `start`: config.md#process. */
  readonly args?: readonly string[];
  readonly user: User;
  readonly rlimits?: readonly Rlimit[];
  readonly apparmorProfile?: string;
  readonly capabilities?: Capabilities;
  readonly noNewPrivileges?: boolean;
  /** -1000 to 1000 */
  readonly oomScoreAdj?: number;
  readonly scheduler?: Scheduler;
  readonly selinuxLabel?: string;
  readonly ioPriority?: IoPriority;
  /** Lists of processors: `"0-3,7"`. */
  readonly execCPUAffinity?: { readonly initial?: string; readonly final?: string };
}

/** config.md#posix-platform-hooks */
export interface Hook {
  /** Absolute path. */
  readonly path: string;
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  /** Seconds. */
  readonly timeout?: number;
}

/** The six kinds of hooks, in the order in which they run. */
export const HOOK_KINDS = [
  "prestart",
  "createRuntime",
  "createContainer",
  "startContainer",
  "poststart",
  "poststop",
] as const;

/** config.md#posix-platform-hooks */
export type HookKind = (typeof HOOK_KINDS)[number];
/** config.md#posix-platform-hooks */
export type Hooks = Readonly<Partial<Record<HookKind, readonly Hook[]>>>;

/** Namespaces by the specification's names, in the order of the kernel's flags. */
export const NAMESPACE_TYPES = ["time", "mount", "cgroup", "uts", "ipc", "user", "pid", "network"] as const;

/** config-linux.md#namespaces */
export type NamespaceType = (typeof NAMESPACE_TYPES)[number];

/** config-linux.md#namespaces */
export interface Namespace {
  readonly type: NamespaceType;
  /** Joined instead of made. */
  readonly path?: string;
}

/** config-linux.md#devices */
export interface Device {
  /** `c`, `b`, `u` or `p`. */
  readonly type: string;
  readonly path: string;
  readonly major?: number;
  readonly minor?: number;
  readonly fileMode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** config-linux.md#allowed-device-list */
export interface DeviceRule {
  readonly allow: boolean;
  /** `a`, `c` or `b`; absent: a. */
  readonly type?: string;
  /** Absent: every one. */
  readonly major?: number;
  readonly minor?: number;
  /** Some of `rwm`. */
  readonly access?: string;
}

/** config-linux.md#memory; bytes, -1 for no limit. */
export interface MemoryResources {
  readonly limit?: Int64;
  readonly reservation?: Int64;
  /** Memory and swap together. */
  readonly swap?: Int64;
  readonly kernel?: Int64;
  readonly kernelTCP?: Int64;
  /** 0 to 100 */
  readonly swappiness?: number;
  readonly disableOOMKiller?: boolean;
  readonly useHierarchy?: boolean;
  readonly checkBeforeUpdate?: boolean;
}

/** config-linux.md#cpu; times in microseconds. */
export interface CpuResources {
  readonly shares?: number;
  readonly quota?: Int64;
  readonly burst?: Int64;
  readonly period?: Int64;
  readonly realtimeRuntime?: Int64;
  readonly realtimePeriod?: Int64;
  readonly cpus?: string;
  readonly mems?: string;
  readonly idle?: number;
}

/** config-linux.md#block-io */
export interface WeightDevice {
  readonly major: number;
  readonly minor: number;
  readonly weight?: number;
  readonly leafWeight?: number;
}

/** config-linux.md#block-io; bytes or operations per second. */
export interface ThrottleDevice {
  readonly major: number;
  readonly minor: number;
  readonly rate: Int64;
}

/** config-linux.md#block-io */
export interface BlockIo {
  readonly weight?: number;
  readonly leafWeight?: number;
  readonly weightDevice?: readonly WeightDevice[];
  readonly throttleReadBpsDevice?: readonly ThrottleDevice[];
  readonly throttleWriteBpsDevice?: readonly ThrottleDevice[];
  readonly throttleReadIOPSDevice?: readonly ThrottleDevice[];
  readonly throttleWriteIOPSDevice?: readonly ThrottleDevice[];
}

/** config-linux.md#control-groups */
export interface Resources {
  readonly devices?: readonly DeviceRule[];
  readonly memory?: MemoryResources;
  readonly cpu?: CpuResources;
  readonly blockIO?: BlockIo;
  readonly hugepageLimits?: ReadonlyArray<{ readonly pageSize: string; readonly limit: Int64 }>;
  readonly network?: {
    readonly classID?: number;
    readonly priorities?: ReadonlyArray<{ readonly name: string; readonly priority: number }>;
  };
  readonly pids?: { readonly limit: Int64 };
  readonly rdma?: Readonly<Record<string, { readonly hcaHandles?: number; readonly hcaObjects?: number }>>;
  /** Files of cgroup version 2 and what is written to them. */
  readonly unified?: Readonly<Record<string, string>>;
}

/** config-linux.md#intelrdt */
export interface IntelRdt {
  readonly closID?: string;
  readonly schemata?: readonly string[];
  readonly l3CacheSchema?: string;
  readonly memBwSchema?: string;
  readonly enableMonitoring?: boolean;
  readonly enableCMT?: boolean;
  readonly enableMBM?: boolean;
}

/** config-linux.md#memory-policy */
export interface MemoryPolicy {
  /** `MPOL_…` */
  readonly mode: string;
  readonly nodes?: string;
  /** `MPOL_F_…` */
  readonly flags?: readonly string[];
}

/** One clock's offset: config-linux.md#offset-for-time-namespace */
export interface TimeOffset {
  readonly secs?: Int64;
  readonly nanosecs?: number;
}

/** config-linux.md */
export interface Linux {
  readonly namespaces?: readonly Namespace[];
  readonly uidMappings?: readonly IdMapping[];
  readonly gidMappings?: readonly IdMapping[];
  readonly timeOffsets?: { readonly boottime?: TimeOffset; readonly monotonic?: TimeOffset };
  readonly devices?: readonly Device[];
  /** By name in the runtime's network namespace. */
  readonly netDevices?: Readonly<Record<string, { readonly name?: string }>>;
  readonly cgroupsPath?: string;
  readonly resources?: Resources;
  readonly intelRdt?: IntelRdt;
  readonly memoryPolicy?: MemoryPolicy;
  readonly sysctl?: Readonly<Record<string, string>>;
  /** Decoded JSON, parsed by runtime/security/seccomp_profile.ts: whole numbers may be bigints. */
  readonly seccomp?: object;
  /** `shared`, `slave`, `private`, `unbindable`, each also with an r before it. */
  readonly rootfsPropagation?: string;
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
  readonly mountLabel?: string;
  readonly personality?: { readonly domain: string; readonly flags?: readonly string[] };
}

/** config.md */
export interface RuntimeConfig {
  readonly ociVersion: string;
  readonly root?: Root;
  readonly mounts?: readonly Mount[];
  readonly process?: Process;
  readonly hostname?: string;
  readonly domainname?: string;
  readonly hooks?: Hooks;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly linux?: Linux;
}
