/** Constants of linux/sched.h, linux/wait.h and linux/prctl.h: clone(2), waitid(2), prctl(2). */

export const CLONE_VM = 0x100;
export const CLONE_PIDFD = 0x1000;
/** unshare(2) and setns(2) only. */
export const CLONE_NEWTIME = 0x80;
export const CLONE_VFORK = 0x4000;
export const CLONE_PARENT = 0x8000;
export const CLONE_PARENT_SETTID = 0x100000;
export const CLONE_FS = 0x200;
export const CLONE_NEWNS = 0x20000;
export const CLONE_NEWCGROUP = 0x2000000;
export const CLONE_NEWUTS = 0x4000000;
export const CLONE_NEWIPC = 0x8000000;
export const CLONE_NEWUSER = 0x10000000;
export const CLONE_NEWPID = 0x20000000;
export const CLONE_NEWNET = 0x40000000;
/** Only clone3(2): above 32 bits. */
export const CLONE_CLEAR_SIGHAND = 0x1_0000_0000;
/** Into a group of version 2 (Linux 5.7). */
export const CLONE_INTO_CGROUP = 0x2_0000_0000;

/**
 * struct clone_args: clone3(2), linux/sched.h; eight 64-bit words suffice (CLONE_ARGS_SIZE_VER0, Linux 5.3):
 * flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls.
 */
export const CLONE_ARGS_SIZE = 64;
/** With set_tid, set_tid_size and cgroup (CLONE_ARGS_SIZE_VER2, Linux 5.7). */
export const CLONE_ARGS_SIZE_CGROUP = 88;

export const P_ALL = 0;
export const P_PID = 1;
export const P_PIDFD = 3;
export const WNOHANG = 1;
export const WEXITED = 4;
/** si_code of waitid(2): the command ended by itself; anything else here is a signal. */
export const CLD_EXITED = 1;

/** struct siginfo: its size, and where si_code, si_pid and si_status are (asm-generic/siginfo.h). */
export const SIGINFO_SIZE = 128;
export const SI_CODE = 8;
export const SI_PID = 16;
export const SI_STATUS = 24;

export const CLOCK_MONOTONIC = 1;

export const PR_SET_PDEATHSIG = 1;
export const PR_SET_DUMPABLE = 4;
export const PR_SET_KEEPCAPS = 8;
export const PR_SET_NAME = 15;
export const PR_CAPBSET_READ = 23;
export const PR_CAPBSET_DROP = 24;
export const PR_SET_NO_NEW_PRIVS = 38;
export const PR_CAP_AMBIENT = 47;
export const PR_CAP_AMBIENT_RAISE = 2;
export const PR_CAP_AMBIENT_CLEAR_ALL = 4;

/** struct sigaction of the kernel: handler, flags, restorer, mask, 64 bits each; all zero is SIG_DFL. */
export const SIGACTION_SIZE = 32;
export const SIG_SETMASK = 2;
export const SIG_BLOCK = 0;
export const SIGHUP = 1;
export const SIGINT = 2;
export const SIGKILL = 9;
export const SIGPIPE = 13;
export const SIGTERM = 15;
export const SIGCHLD = 17;
export const SIGSTOP = 19;
export const SIGURG = 23;
export const SIGWINCH = 28;
/** Highest signal number. */
export const SIGNAL_MAX = 64;
