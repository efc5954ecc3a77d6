/**
 * The part of runtime-spec's config.json that the planner honours: config.md, config-linux.md. The engine makes one
 * from an image and the user's options; names and units are the specification's.
 */

/** config.md#user */
export interface User {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids?: readonly number[];
}

/** config.md#posix-process, type without `RLIMIT_`: the numbers of getrlimit(2). */
export interface Rlimit {
  /** Number of the resource (RLIMIT_NOFILE = 7). */
  readonly resource: number;
  readonly soft: number;
  readonly hard: number;
}

/** config.md#process */
export interface Process {
  readonly terminal: boolean;
  readonly args: readonly string[];
  readonly env: readonly string[];
  /** Absolute path. */
  readonly cwd: string;
  /** Undefined: looked up in the container's own /etc/passwd while the program waits. */
  readonly user: User | undefined;
  /** Bounding, permitted and effective set as a bit mask; inheritable and ambient stay empty. */
  readonly capabilities: bigint;
  readonly rlimits: readonly Rlimit[];
  readonly noNewPrivileges: boolean;
}

/** config.md#mounts */
export interface Mount {
  /** Absolute path in the container. */
  readonly destination: string;
  /** `bind` or a filesystem. */
  readonly type: string;
  /** Absolute path on the host for `bind`. */
  readonly source: string;
  readonly options: readonly string[];
  /** For `bind`: what the source is, since the target is made to match. */
  readonly sourceIsDirectory?: boolean;
}

/** config-linux.md#devices */
export interface Device {
  readonly path: string;
  /** Character device unless it says block. */
  readonly type?: "c" | "b";
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
}

/** config-linux.md#user-namespace-mappings */
export interface IdMapping {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

/** config-linux.md#control-groups, what `run` can ask for. */
export interface Resources {
  /** Bytes. */
  readonly memory?: number;
  /** Microseconds of processor time in each period of 100 000. */
  readonly cpuQuota?: number;
  /** Processes; absent: no limit. */
  readonly pids?: number;
}

/** config-linux.md */
export interface Linux {
  /** CLONE_NEW* flags. */
  readonly namespaces: number;
  readonly uidMappings: readonly IdMapping[];
  readonly gidMappings: readonly IdMapping[];
  readonly devices: readonly Device[];
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  readonly resources: Resources;
}

/** config.md */
export interface Spec {
  readonly process: Process;
  readonly root: { readonly readonly: boolean };
  readonly hostname: string;
  readonly mounts: readonly Mount[];
  readonly linux: Linux;
}
