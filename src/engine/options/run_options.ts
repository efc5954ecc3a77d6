/**
 * What `bunker run` and the library's `run()` can be asked for, after parsing: every value typed, in base units.
 * The text forms of docker's command line are parsed next to this file; the engine never sees them.
 */

/** A bind mount or a tmpfs inside the container (`-v`, `--mount`, `--tmpfs`). */
export type MountRequest =
  | {
      readonly type: "bind";
      /** Absolute path on the host. */
      readonly hostPath: string;
      /** Absolute path in the container. */
      readonly containerPath: string;
      readonly readonly: boolean;
      readonly propagation: "private" | "rprivate" | "slave" | "rslave" | "shared" | "rshared";
      /** Make a missing `hostPath` a directory, as docker's `-v` does; `--mount` refuses instead. */
      readonly createHostPath: boolean;
    }
  | {
      readonly type: "tmpfs";
      readonly containerPath: string;
      /** Bytes; undefined leaves the kernel's default of half the memory. */
      readonly sizeBytes: number | undefined;
      /** Permission bits of the root directory, 0o1777 unless given. */
      readonly mode: number;
      readonly readonly: boolean;
      readonly exec: boolean;
      readonly suid: boolean;
      readonly dev: boolean;
      readonly uid: number | undefined;
      readonly gid: number | undefined;
    };

/** One `--ulimit`: name without the RLIMIT_ prefix in lower case (`nofile`), -1 is unlimited. */
export interface UlimitRequest {
  readonly name: string;
  readonly soft: number;
  readonly hard: number;
}

/** Everything that shapes one container; see {@link defaultRunOptions} for the defaults. */
export interface RunOptions {
  /** Reference as the user wrote it, e.g. `alpine`, `localhost:5000/a/b:1`. */
  readonly image: string;
  /** Arguments after IMAGE; empty means the image's Cmd. */
  readonly command: readonly string[];
  /** `KEY=value`, or `KEY` alone: taken from the caller's environment, left out when it is not set there. */
  readonly env: readonly string[];
  readonly workdir: string | undefined;
  /** `name|uid[:group|gid]` as given; resolved in the image. */
  readonly user: string | undefined;
  readonly mounts: readonly MountRequest[];
  readonly readonlyRoot: boolean;
  readonly hostname: string | undefined;
  /** Replaces the image's Entrypoint and drops its Cmd; empty array: no entry point. */
  readonly entrypoint: readonly string[] | undefined;
  readonly name: string | undefined;
  readonly pull: "missing" | "always" | "never";
  /** `os/arch[/variant]`; undefined is this machine's. */
  readonly platform: string | undefined;
  /** False: a registry may show any certificate, or speak plain HTTP. */
  readonly tlsVerify: boolean;
  /** Names as the kernel has them (`CAP_NET_ADMIN`), or `ALL`. */
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly privileged: boolean;
  readonly noNewPrivileges: boolean;
  /** `default`, `unconfined`, or the path of a profile in docker's JSON form. */
  readonly seccomp: string;
  /** `--security-opt systempaths=unconfined`: nothing is masked or read-only. */
  readonly unmaskedPaths: boolean;
  readonly network: "host" | "none";
  /** Bytes; undefined: no limit. */
  readonly memoryBytes: number | undefined;
  /** Processors, e.g. 1.5; undefined: no limit. */
  readonly cpus: number | undefined;
  /** -1: no limit; undefined: bunker's default of 2048. */
  readonly pidsLimit: number | undefined;
  readonly ulimits: readonly UlimitRequest[];
  readonly init: boolean;
  readonly interactive: boolean;
  readonly tty: boolean;
  /** No progress on stderr. */
  readonly quiet: boolean;
  /** Print the program of system calls instead of running it. */
  readonly explain: boolean;
}

/** Default values: docker's where it has one, safer where shared decisions say so (ARCHITECTURE.md, Defaults). */
export const defaultRunOptions: Omit<RunOptions, "image"> = {
  command: [],
  env: [],
  workdir: undefined,
  user: undefined,
  mounts: [],
  readonlyRoot: false,
  hostname: undefined,
  entrypoint: undefined,
  name: undefined,
  pull: "missing",
  platform: undefined,
  tlsVerify: true,
  capAdd: [],
  capDrop: [],
  privileged: false,
  noNewPrivileges: true,
  seccomp: "default",
  unmaskedPaths: false,
  network: "host",
  memoryBytes: undefined,
  cpus: undefined,
  pidsLimit: undefined,
  ulimits: [],
  init: false,
  interactive: false,
  tty: false,
  quiet: false,
  explain: false,
};
