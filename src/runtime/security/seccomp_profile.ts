/**
 * Seccomp profiles as users write them: the runtime-spec's LinuxSeccomp (config-linux.md#seccomp) and docker's
 * JSON form, which adds archMap and rules that depend on capabilities, architecture and kernel. Pure. Unknown keys
 * are left alone, as in docker ("comment"), but a value of the wrong type is refused with its JSON path.
 */

/** `SCMP_ACT_*` */
export type SeccompAction =
  | "SCMP_ACT_KILL"
  | "SCMP_ACT_KILL_PROCESS"
  | "SCMP_ACT_KILL_THREAD"
  | "SCMP_ACT_TRAP"
  | "SCMP_ACT_ERRNO"
  | "SCMP_ACT_TRACE"
  | "SCMP_ACT_LOG"
  | "SCMP_ACT_ALLOW"
  | "SCMP_ACT_NOTIFY";

/** `SCMP_CMP_*`, unsigned; MASKED_EQ is `(argument & value) == valueTwo`. */
export type SeccompOperator =
  | "SCMP_CMP_NE"
  | "SCMP_CMP_LT"
  | "SCMP_CMP_LE"
  | "SCMP_CMP_EQ"
  | "SCMP_CMP_GE"
  | "SCMP_CMP_GT"
  | "SCMP_CMP_MASKED_EQ";

/** A test of one argument. */
export interface SeccompArg {
  /** 0 to 5 */
  readonly index: number;
  /** 0 to 2^64-1 */
  readonly value: bigint;
  readonly valueTwo: bigint;
  readonly op: SeccompOperator;
}

/** When a rule of docker's form applies; everything that is given must hold. */
export interface SeccompGate {
  /** `CAP_SYS_ADMIN`. In `includes` the container must hold all, in `excludes` any one drops the rule. */
  readonly caps: readonly string[];
  /** Go's names, `amd64`; any one counts. */
  readonly arches: readonly string[];
  /** The kernel is of this version or newer. */
  readonly minKernel: KernelVersion | undefined;
}

/** One entry of `syscalls`. */
export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: SeccompAction;
  /** errno of SCMP_ACT_ERRNO, message of SCMP_ACT_TRACE; undefined is EPERM. */
  readonly errnoRet: number | undefined;
  readonly args: readonly SeccompArg[];
  readonly includes: SeccompGate;
  readonly excludes: SeccompGate;
}

/** An entry of docker's `archMap`. */
export interface SeccompArchMapping {
  /** `SCMP_ARCH_X86_64` */
  readonly architecture: string;
  readonly subArchitectures: readonly string[];
}

/** A parsed profile; only {@link parseSeccompProfile} makes one. */
export interface SeccompProfile {
  readonly defaultAction: SeccompAction;
  readonly defaultErrnoRet: number | undefined;
  /** `SCMP_ARCH_*`; empty: this machine's. */
  readonly architectures: readonly string[];
  readonly archMap: readonly SeccompArchMapping[];
  /** `SECCOMP_FILTER_FLAG_*` */
  readonly flags: readonly string[];
  /** Socket of an agent for SCMP_ACT_NOTIFY. */
  readonly listenerPath: string | undefined;
  readonly listenerMetadata: string | undefined;
  readonly syscalls: readonly SeccompRule[];
}

/** First two parts of a kernel release. */
export interface KernelVersion {
  readonly major: number;
  readonly minor: number;
}
