/** config-linux.md, Seccomp: actions, their error numbers, arguments, flags; what is refused. */
import { describe, expect } from "bun:test";
import type { Json } from "../helpers/runtime_bundle.ts";
import { conformanceTest } from "./harness.ts";

const allowing = (...syscalls: readonly Json[]): { readonly linux: Json } => ({
  linux: { seccomp: { defaultAction: "SCMP_ACT_ALLOW", syscalls } },
});
const errno = (names: readonly string[], more: Json = {}): Json => ({
  names,
  action: "SCMP_ACT_ERRNO",
  ...more,
});
/** Refuses chmod(2) and its relatives where their mode compares. */
const chmodRule = (comparison: Json): { readonly linux: Json } =>
  allowing(
    errno(["chmod"], { args: [{ index: 1, ...comparison }] }),
    errno(["fchmodat", "fchmodat2"], { args: [{ index: 2, ...comparison }] }),
  );
const MKDIR = ["mkdir", "mkdirat"];

describe("config-linux.md#seccomp", () => {
  conformanceTest("is off when nothing is said", [], async (runtime) => {
    expect(await runtime.output({ sh: "grep ^Seccomp: /proc/self/status | cut -f2" })).toBe("0\n");
  });

  conformanceTest("is a filter when it is configured", [], async (runtime) => {
    const sh = "grep ^Seccomp: /proc/self/status | cut -f2";

    expect(await runtime.output({ sh, ...allowing(errno(MKDIR)) })).toBe("2\n");
  });

  conformanceTest("answers EPERM when no error number is given", [], async (runtime) => {
    const sh = "mkdir /srv/made 2>&1; ls /srv";

    expect(await runtime.output({ sh, ...allowing(errno(MKDIR)) })).toContain("Operation not permitted\n");
  });

  conformanceTest("answers the error number that is given", [], async (runtime) => {
    const sh = "mkdir /srv/made 2>&1; ls /srv";

    expect(await runtime.output({ sh, ...allowing(errno(MKDIR, { errnoRet: 28 })) })).toContain(
      "No space left on device\n",
    );
  });

  conformanceTest("answers what defaultErrnoRet says for all others", [], async (runtime) => {
    const seccomp = {
      defaultAction: "SCMP_ACT_ERRNO",
      defaultErrnoRet: 28,
      syscalls: [{ names: EVERYTHING_BUT_MKDIR, action: "SCMP_ACT_ALLOW" }],
    };

    const output = await runtime.output({ sh: "mkdir /srv/made 2>&1; ls /srv", linux: { seccomp } });

    expect(output).toContain("No space left on device\n");
  });

  conformanceTest("kills by signal where it says so", [], async (runtime) => {
    for (const action of [
      "SCMP_ACT_KILL",
      "SCMP_ACT_KILL_PROCESS",
      "SCMP_ACT_KILL_THREAD",
      "SCMP_ACT_TRAP",
    ]) {
      const patch = allowing({ names: MKDIR, action });
      const output = await runtime.output({ sh: "mkdir /srv/made; echo $?; ls /srv", ...patch });

      // 128 + SIGSYS
      expect({ action, output }).toEqual({ action, output: "159\n" });
    }
  });

  conformanceTest("lets through what it logs", [], async (runtime) => {
    const patch = allowing({ names: MKDIR, action: "SCMP_ACT_LOG" });

    expect(await runtime.output({ sh: "mkdir /srv/made; ls /srv", ...patch })).toBe("made\n");
  });

  conformanceTest("compares arguments", [], async (runtime) => {
    const sh =
      "touch /srv/a /srv/b; chmod 700 /srv/a 2>/dev/null || echo refused; chmod 755 /srv/b && echo changed";

    expect(await runtime.output({ sh, ...chmodRule({ value: 0o700, op: "SCMP_CMP_EQ" }) })).toBe(
      "refused\nchanged\n",
    );
  });

  conformanceTest("compares arguments under a mask", [], async (runtime) => {
    const masked = { value: 0o007, valueTwo: 0o005, op: "SCMP_CMP_MASKED_EQ" };
    const sh =
      "touch /srv/x; for mode in 705 755 750 777; do chmod $mode /srv/x 2>/dev/null && echo $mode; done; true";

    expect(await runtime.output({ sh, ...chmodRule(masked) })).toBe("750\n777\n");
  });

  conformanceTest("compares arguments by size", [], async (runtime) => {
    const sh =
      "touch /srv/x; for mode in 644 700 755; do chmod $mode /srv/x 2>/dev/null && echo $mode; done; true";
    const passed = async (op: string): Promise<string> =>
      (await runtime.output({ sh, ...chmodRule({ value: 0o700, op }) })).replaceAll("\n", " ");

    expect(await passed("SCMP_CMP_LT")).toBe("700 755 ");
    expect(await passed("SCMP_CMP_LE")).toBe("755 ");
    expect(await passed("SCMP_CMP_GE")).toBe("644 ");
    expect(await passed("SCMP_CMP_GT")).toBe("644 700 ");
    expect(await passed("SCMP_CMP_NE")).toBe("700 ");
  });

  conformanceTest("stays with a process that has no new privileges", [], async (runtime) => {
    const sh = "grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status | cut -f2 | xargs";

    expect(await runtime.output({ sh, process: { noNewPrivileges: true }, ...allowing(errno(MKDIR)) })).toBe(
      "1 2\n",
    );
  });

  conformanceTest("takes the flags that the specification lists", [], async (runtime) => {
    const flags = ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"];
    for (const flag of flags) {
      const seccomp = { defaultAction: "SCMP_ACT_ALLOW", flags: [flag], syscalls: [errno(MKDIR)] };
      expect(await runtime.output({ sh: "echo ran", linux: { seccomp } })).toBe("ran\n");
    }
  });

  conformanceTest("of other architectures is taken too", [], async (runtime) => {
    const architectures = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64"];
    const seccomp = { defaultAction: "SCMP_ACT_ALLOW", architectures, syscalls: [errno(MKDIR)] };

    expect(await runtime.output({ sh: "echo ran", linux: { seccomp } })).toBe("ran\n");
  });
});

describe("config-linux.md#seccomp: refused", () => {
  conformanceTest("is an action that does not exist", [], async (runtime) => {
    await runtime.refusal(allowing({ names: MKDIR, action: "SCMP_ACT_NO_SUCH" }));
    await runtime.refusal({ linux: { seccomp: { defaultAction: "SCMP_ACT_NO_SUCH" } } });
  });

  conformanceTest("is an architecture that does not exist", [], async (runtime) => {
    const seccomp = {
      defaultAction: "SCMP_ACT_ALLOW",
      architectures: ["SCMP_ARCH_NO_SUCH"],
      syscalls: [errno(MKDIR)],
    };

    await runtime.refusal({ linux: { seccomp } });
  });

  conformanceTest("is an operator that does not exist", [], async (runtime) => {
    await runtime.refusal(allowing(errno(MKDIR, { args: [{ index: 0, value: 1, op: "SCMP_CMP_NO_SUCH" }] })));
  });

  conformanceTest("is a flag that does not exist", [], async (runtime) => {
    const seccomp = { defaultAction: "SCMP_ACT_ALLOW", flags: ["NO_SUCH_FLAG"], syscalls: [errno(MKDIR)] };

    await runtime.refusal({ linux: { seccomp } });
  });

  conformanceTest("is an error number for an action that has none", [], async (runtime) => {
    await runtime.refusal(allowing({ names: MKDIR, action: "SCMP_ACT_KILL", errnoRet: 1 }));
  });

  conformanceTest("is a default error number for an action that has none", [], async (runtime) => {
    const seccomp = { defaultAction: "SCMP_ACT_ALLOW", defaultErrnoRet: 1, syscalls: [errno(MKDIR)] };

    await runtime.refusal({ linux: { seccomp } });
  });

  conformanceTest("is a rule without names", [], async (runtime) => {
    await runtime.refusal(allowing(errno([])));
  });

  conformanceTest("is a filter without a default action", [], async (runtime) => {
    await runtime.refusal({ linux: { seccomp: { syscalls: [errno(MKDIR)] } } });
  });

  conformanceTest("is metadata for a listener that is not named", [], async (runtime) => {
    const seccomp = { defaultAction: "SCMP_ACT_ALLOW", listenerMetadata: "x", syscalls: [errno(MKDIR)] };

    await runtime.refusal({ linux: { seccomp } });
  });

  conformanceTest("is a listener that nobody listens at", [], async (runtime) => {
    const seccomp = {
      defaultAction: "SCMP_ACT_ALLOW",
      listenerPath: `${runtime.directory}/no-such-socket`,
      syscalls: [{ names: MKDIR, action: "SCMP_ACT_NOTIFY" }],
    };

    const bundle = await runtime.bundle({ linux: { seccomp } });
    const created = await runtime.tryCreate(bundle);
    const started =
      created.exitCode === 0 && (await runtime.detached(bundle, "start", bundle.id)).exitCode === 0;

    expect(started).toBe(false);
  });
});

/** What busybox's shell, mkdir and ls need, with the calls of the runtimes on their way to them. */
const EVERYTHING_BUT_MKDIR = (
  "access arch_prctl brk capget capset chdir chmod chown clock_gettime clone clone3 close close_range dup dup2 dup3 " +
  "epoll_create epoll_create1 epoll_ctl epoll_pwait execve execveat exit exit_group faccessat faccessat2 fchdir fchmod " +
  "fchown fcntl fork fstat fstatfs futex getcwd getdents getdents64 getegid geteuid getgid getgroups getpgrp getpid " +
  "getppid getrandom getresgid getresuid getrlimit gettid getuid ioctl kill lseek lstat madvise mmap mprotect mremap " +
  "munmap nanosleep newfstatat open openat openat2 pipe pipe2 poll ppoll prctl pread64 prlimit64 pwrite64 read readlink " +
  "readlinkat readv rseq rt_sigaction rt_sigprocmask rt_sigreturn sched_getaffinity sched_yield select sendmsg set_robust_list " +
  "set_tid_address setgid setgroups setpgid setresgid setresuid setrlimit setsid setuid sigaltstack stat statfs statx sysinfo tgkill time " +
  "umask uname unlink unlinkat vfork wait4 waitid write writev"
).split(" ");
