/**
 * bunker's default seccomp profile, by subject. Every system call that Linux has is in exactly one place:
 *
 *   ALLOWED   what ordinary programs use
 *   GATED     allowed with a capability, EPERM without: the kernel would refuse too, but only after running code
 *             that had holes before
 *   REFUSED   EPERM whatever the capabilities: machine-wide effects, or holes without number
 *   ABSENT    ENOSYS: no longer implemented, or with a fallback that every caller has
 *   argument rules, in argumentRules()
 *
 * A number that is in no table answers ENOSYS, so that libraries fall back (glibc treats EPERM as final).
 */

import { EAFNOSUPPORT, ENOSYS, EPERM, EPROTONOSUPPORT } from "../../linux/abi/errno.ts";
import { SECCOMP_RET_ALLOW } from "../../linux/abi/seccomp.ts";
import { capabilityMask } from "./capability.ts";
import {
  type Condition,
  errnoReturn,
  type Policy,
  type PolicyRule,
  type SeccompArchName,
} from "./seccomp_policy.ts";

/** Without conditions and without capability. */
export const ALLOWED: Readonly<Record<string, string>> = {
  openClose: "open openat openat2 creat close close_range dup dup2 dup3 fcntl fcntl64 flock ioctl",
  readWrite: `read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek _llseek sendfile
    sendfile64 splice tee copy_file_range readahead fadvise64 fadvise64_64 fallocate truncate truncate64 ftruncate
    ftruncate64 sync syncfs fsync fdatasync sync_file_range cachestat`,
  status: `stat lstat fstat stat64 lstat64 fstat64 newfstatat fstatat64 statx statfs statfs64 fstatfs fstatfs64
    access faccessat faccessat2 readlink readlinkat getcwd name_to_handle_at statmount listmount file_getattr`,
  tree: `chdir fchdir mkdir mkdirat rmdir link linkat symlink symlinkat unlink unlinkat rename renameat renameat2
    getdents getdents64 readdir mknod mknodat umask`,
  attributes: `chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat chown32 fchown32 lchown32 utime utimes
    utimensat utimensat_time64 futimesat file_setattr`,
  extendedAttributes: `getxattr lgetxattr fgetxattr getxattrat setxattr lsetxattr fsetxattr setxattrat listxattr
    llistxattr flistxattr listxattrat removexattr lremovexattr fremovexattr removexattrat`,
  waiting: `poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64 epoll_create epoll_create1 epoll_ctl
    epoll_wait epoll_pwait epoll_pwait2 eventfd eventfd2 inotify_init inotify_init1 inotify_add_watch
    inotify_rm_watch fanotify_mark`,
  asynchronousIo: "io_setup io_destroy io_submit io_cancel io_getevents ioprio_get ioprio_set",
  memory: `mmap mmap2 munmap mremap mprotect pkey_mprotect pkey_alloc pkey_free madvise brk mincore msync mlock mlock2
    mlockall munlock munlockall mseal map_shadow_stack remap_file_pages memfd_create memfd_secret membarrier`,
  processes: `fork vfork execve execveat exit exit_group wait4 waitpid waitid getpid getppid gettid getpgid setpgid
    getpgrp getsid setsid set_tid_address prctl arch_prctl set_thread_area get_thread_area restart_syscall rseq
    pidfd_open pidfd_send_signal process_mrelease uprobe uretprobe`,
  // Since Linux 4.8 the filter is also applied to calls that a tracer changes.
  tracing: "ptrace process_vm_readv process_vm_writev",
  signals: `kill tkill tgkill rt_sigaction rt_sigprocmask rt_sigpending rt_sigqueueinfo rt_tgsigqueueinfo rt_sigsuspend
    rt_sigtimedwait rt_sigtimedwait_time64 rt_sigreturn sigaltstack signalfd signalfd4 pause alarm signal sigaction
    sigprocmask sigpending sigsuspend sigreturn`,
  identity: `getuid geteuid getgid getegid getgroups getresuid getresgid setuid setgid setreuid setregid setresuid
    setresgid setfsuid setfsgid setgroups getuid32 geteuid32 getgid32 getegid32 getgroups32 getresuid32 getresgid32
    setuid32 setgid32 setreuid32 setregid32 setresuid32 setresgid32 setfsuid32 setfsgid32 setgroups32 capget capset`,
  limits: `getrlimit ugetrlimit setrlimit prlimit64 getrusage getpriority setpriority times sysinfo uname getcpu
    getrandom`,
  scheduling: `sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam
    sched_setparam sched_getscheduler sched_setscheduler sched_get_priority_max sched_get_priority_min
    sched_rr_get_interval sched_rr_get_interval_time64`,
  locks: `futex futex_time64 futex_waitv futex_wait futex_wake futex_requeue get_robust_list set_robust_list`,
  // Reading needs no privilege; the kernel asks for CAP_SYS_TIME before it sets.
  time: `time gettimeofday clock_gettime clock_gettime64 clock_getres clock_getres_time64 clock_nanosleep
    clock_nanosleep_time64 nanosleep adjtimex clock_adjtime clock_adjtime64 getitimer setitimer timer_create
    timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create
    timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64`,
  // The family behind a 32-bit socketcall is in memory, where a filter cannot look.
  sockets: `socketcall socketpair bind listen accept accept4 connect getsockname getpeername getsockopt setsockopt
    shutdown sendto sendmsg sendmmsg recvfrom recvmsg recvmmsg recvmmsg_time64`,
  messages: `pipe pipe2 ipc shmget shmat shmdt shmctl semget semop semctl semtimedop semtimedop_time64 msgget msgsnd
    msgrcv msgctl mq_open mq_unlink mq_notify mq_getsetattr mq_timedsend mq_timedsend_time64 mq_timedreceive
    mq_timedreceive_time64`,
  sandboxing: "seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self",
};

/** Allowed when the container holds one of the capabilities, EPERM otherwise. */
export const GATED: readonly { readonly anyOf: readonly string[]; readonly names: string }[] = [
  {
    anyOf: ["CAP_SYS_ADMIN"],
    names: `mount umount umount2 pivot_root fsopen fsconfig fsmount fspick move_mount mount_setattr open_tree
      open_tree_attr unshare setns sethostname setdomainname quotactl quotactl_fd fanotify_init lsm_get_self_attr
      lsm_set_self_attr lsm_list_modules`,
  },
  { anyOf: ["CAP_SYS_ADMIN", "CAP_BPF"], names: "bpf" },
  { anyOf: ["CAP_SYS_ADMIN", "CAP_PERFMON"], names: "perf_event_open" },
  { anyOf: ["CAP_SYS_ADMIN", "CAP_SYSLOG"], names: "syslog" },
  { anyOf: ["CAP_DAC_READ_SEARCH"], names: "open_by_handle_at" },
  { anyOf: ["CAP_SYS_CHROOT"], names: "chroot" },
  { anyOf: ["CAP_SYS_BOOT"], names: "reboot" },
  { anyOf: ["CAP_SYS_MODULE"], names: "init_module finit_module delete_module" },
  { anyOf: ["CAP_SYS_PACCT"], names: "acct" },
  { anyOf: ["CAP_SYS_PTRACE"], names: "kcmp pidfd_getfd process_madvise" },
  { anyOf: ["CAP_SYS_RAWIO"], names: "iopl ioperm" },
  { anyOf: ["CAP_SYS_NICE"], names: "mbind get_mempolicy set_mempolicy set_mempolicy_home_node" },
  { anyOf: ["CAP_SYS_TIME"], names: "settimeofday clock_settime clock_settime64 stime" },
  { anyOf: ["CAP_SYS_TTY_CONFIG"], names: "vhangup" },
];

/** EPERM always. Keyrings are not namespaced; vmsplice and userfaultfd widen kernel races. */
export const REFUSED = `kexec_load kexec_file_load swapon swapoff add_key keyctl request_key userfaultfd vmsplice
  migrate_pages move_pages sysfs ustat uselib vm86 vm86old`;

/** ENOSYS always. io_uring's operations bypass a filter; its users, and those of io_pgetevents, fall back. */
export const ABSENT = `io_uring_setup io_uring_enter io_uring_register io_pgetevents io_pgetevents_time64
  lookup_dcookie _sysctl nfsservctl bdflush create_module query_module get_kernel_syms epoll_ctl_old epoll_wait_old
  afs_syscall tuxcall security vserver getpmsg putpmsg break ftime stty gtty idle lock mpx prof profil ulimit nice
  oldstat oldlstat oldfstat olduname oldolduname sgetmask ssetmask`;

/** Every namespace flag of clone(2), CLONE_NEWNS to CLONE_NEWNET; CLONE_NEWTIME is for clone3 alone. */
const CLONE_NAMESPACES = 0x7e02_0000n;
/** All bits of a personality but those of PER_LINUX32 (8) and UNAME26. */
const PERSONALITY_REFUSED = 0xffff_ffff_fffd_fff7n;
/** The personality that asks for the present one. */
const PERSONALITY_QUERY = 0xffff_ffffn;
const AF_NETLINK = 16n;
const NETLINK_AUDIT = 9n;
const AF_ALG = 38n;
const AF_VSOCK = 40n;
const TIOCSTI = 0x5412n;
const TIOCLINUX = 0x541cn;

/** What the default profile depends on. */
export interface DefaultProfileInput {
  /** Capabilities of the container, as a mask. */
  readonly capabilities: bigint;
  readonly architectures: readonly SeccompArchName[];
}

/** The default profile for a container with these capabilities. */
export function defaultPolicy({ capabilities, architectures }: DefaultProfileInput): Policy {
  const allowed = Object.values(ALLOWED).flatMap(words);
  const refused = words(REFUSED);
  for (const { anyOf, names } of GATED) {
    ((capabilityMask(anyOf) & capabilities) === 0n ? refused : allowed).push(...words(names));
  }
  // 16-bit segments have no user on x86-64 but Wine, and a history of holes.
  (architectures.includes("X86") ? allowed : refused).push("modify_ldt");
  return {
    defaultReturn: errnoReturn(ENOSYS),
    rules: [
      { names: allowed, ret: SECCOMP_RET_ALLOW, conditions: [] },
      { names: refused, ret: errnoReturn(EPERM), conditions: [] },
      ...argumentRules(capabilities),
    ],
    architectures,
  };
}

/** Names that {@link defaultPolicy} decides by argument or by architecture, besides those in the tables. */
export const DECIDED_BY_ARGUMENT = "clone clone3 personality socket modify_ldt";

/** Mask of the capabilities that the default profile looks at. */
export function gatingCapabilities(): bigint {
  return capabilityMask([...GATED.flatMap(({ anyOf }) => anyOf), "CAP_AUDIT_WRITE"]);
}

/** Splits a table's text into names. */
export function words(text: string): string[] {
  return text.split(/\s+/);
}

function argumentRules(capabilities: bigint): PolicyRule[] {
  return [
    ...cloneRules(capabilities),
    allow("personality"),
    // What is left cannot turn off address space randomization (ADDR_NO_RANDOMIZE).
    refuse("personality", EPERM, [
      { index: 0, op: "masked_ne", value: PERSONALITY_REFUSED, valueTwo: 0n },
      { index: 0, op: "ne", value: PERSONALITY_QUERY, valueTwo: 0n },
    ]),
    ...socketRules(capabilities),
    // Both put characters into the terminal's input: a shell behind the container would run them
    // (CVE-2017-5226).
    refuse("ioctl", EPERM, [low32(1, TIOCSTI)]),
    refuse("ioctl", EPERM, [low32(1, TIOCLINUX)]),
  ];
}

function cloneRules(capabilities: bigint): PolicyRule[] {
  if ((capabilities & capabilityMask(["CAP_SYS_ADMIN"])) !== 0n) return [allow("clone"), allow("clone3")];
  return [
    allow("clone"),
    refuse("clone", EPERM, [{ index: 0, op: "masked_ne", value: CLONE_NAMESPACES, valueTwo: 0n }]),
    // The flags of clone3 are in memory, where a filter cannot look; ENOSYS makes libraries fall back to clone.
    refuse("clone3", ENOSYS, []),
  ];
}

function socketRules(capabilities: bigint): PolicyRule[] {
  const rules = [
    allow("socket"),
    // AF_ALG writes into the page cache that containers share (CVE-2026-31431); AF_VSOCK reaches the hypervisor.
    refuse("socket", EAFNOSUPPORT, [low32(0, AF_ALG)]),
    refuse("socket", EAFNOSUPPORT, [low32(0, AF_VSOCK)]),
  ];
  if ((capabilities & capabilityMask(["CAP_AUDIT_WRITE"])) === 0n) {
    // libaudit takes this errno for a kernel without audit; any other makes logins fail.
    rules.push(refuse("socket", EPROTONOSUPPORT, [low32(0, AF_NETLINK), low32(2, NETLINK_AUDIT)]));
  }
  return rules;
}

/** The kernel reads an int: comparing all 64 bits would let a set high bit through. */
function low32(index: number, value: bigint): Condition {
  return { index, op: "masked_eq", value: 0xffff_ffffn, valueTwo: value };
}

function allow(name: string): PolicyRule {
  return { names: [name], ret: SECCOMP_RET_ALLOW, conditions: [] };
}

function refuse(name: string, errno: number, conditions: readonly Condition[]): PolicyRule {
  return { names: [name], ret: errnoReturn(errno), conditions };
}
