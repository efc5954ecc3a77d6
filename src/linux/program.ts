/**
 * The builder of programs: one method for each system call, named and ordered as in its manual page. The smallest
 * container is three of them:
 *
 *     program.unshare(CLONE_NEWPID | CLONE_NEWNS);
 *     program.chroot("/srv/root");
 *     program.execve("/bin/sh", ["sh"], ["PATH=/bin"]);
 *
 * Arguments may be results of earlier steps: `program.fchdir(program.openat(…).result)`.
 */
import { ProgramCore } from "./program_core.ts";
import type { Argument, Step } from "./step.ts";

/** A program of system calls; see the head of this file. Methods add one step and return it. */
export class Program extends ProgramCore {
  // Files and directories.
  openat = (dirfd: Argument, path: Argument, flags: number, mode = 0): Step =>
    this.step("openat", dirfd, path, flags, mode);
  openat2(dirfd: Argument, path: Argument, how: Argument, size: number): Step {
    return this.step("openat2", dirfd, path, how, size);
  }

  close(fd: Argument): Step {
    return this.step("close", fd);
  }

  close_range(first: number, last: number, flags: number): Step {
    return this.step("close_range", first, last, flags);
  }

  dup3 = (oldfd: Argument, newfd: Argument, flags = 0): Step => this.step("dup3", oldfd, newfd, flags);
  fcntl = (fd: Argument, command: number, value: Argument = 0): Step =>
    this.step("fcntl", fd, command, value);
  ioctl = (fd: Argument, request: number, value: Argument = 0): Step =>
    this.step("ioctl", fd, request, value);
  read(fd: Argument, buffer: Argument, count: Argument): Step {
    return this.step("read", fd, buffer, count);
  }

  write(fd: Argument, buffer: Argument, count: Argument): Step {
    return this.step("write", fd, buffer, count);
  }

  mkdirat(dirfd: Argument, path: Argument, mode: number): Step {
    return this.step("mkdirat", dirfd, path, mode);
  }

  mknodat(dirfd: Argument, path: Argument, mode: number, dev: number): Step {
    return this.step("mknodat", dirfd, path, mode, dev);
  }

  symlinkat(target: Argument, dirfd: Argument, path: Argument): Step {
    return this.step("symlinkat", target, dirfd, path);
  }

  unlinkat = (dirfd: Argument, path: Argument, flags = 0): Step => this.step("unlinkat", dirfd, path, flags);
  fchownat = (dirfd: Argument, path: Argument, uid: Argument, gid: Argument, flags = 0): Step =>
    this.step("fchownat", dirfd, path, uid, gid, flags);
  fchmod(fd: Argument, mode: number): Step {
    return this.step("fchmod", fd, mode);
  }

  chdir(path: Argument): Step {
    return this.step("chdir", path);
  }

  fchdir(fd: Argument): Step {
    return this.step("fchdir", fd);
  }

  chroot(path: Argument): Step {
    return this.step("chroot", path);
  }

  getcwd(buffer: Argument, size: number): Step {
    return this.step("getcwd", buffer, size);
  }

  umask(mask: number): Step {
    return this.step("umask", mask);
  }

  ppoll(fds: Argument, count: number, timeout: Argument = null): Step {
    return this.step("ppoll", fds, count, timeout, null, 0);
  }

  sendmsg = (socket: Argument, message: Argument, flags = 0): Step =>
    this.step("sendmsg", socket, message, flags);

  // Mounts.
  mount = (
    source: Argument,
    target: Argument,
    fstype: Argument,
    flags: number,
    data: Argument = null,
  ): Step => this.step("mount", source, target, fstype, flags, data);
  umount2(target: Argument, flags: number): Step {
    return this.step("umount2", target, flags);
  }

  pivot_root(newRoot: Argument, putOld: Argument): Step {
    return this.step("pivot_root", newRoot, putOld);
  }

  fsopen(fstype: Argument, flags: number): Step {
    return this.step("fsopen", fstype, flags);
  }

  fsconfig = (fd: Argument, command: number, key: Argument = null, value: Argument = null, aux = 0): Step =>
    this.step("fsconfig", fd, command, key, value, aux);
  fsmount(fd: Argument, flags: number, attributes: number): Step {
    return this.step("fsmount", fd, flags, attributes);
  }

  fspick(dirfd: Argument, path: Argument, flags: number): Step {
    return this.step("fspick", dirfd, path, flags);
  }

  open_tree(dirfd: Argument, path: Argument, flags: number): Step {
    return this.step("open_tree", dirfd, path, flags);
  }

  move_mount(fromFd: Argument, fromPath: Argument, toFd: Argument, toPath: Argument, flags: number): Step {
    return this.step("move_mount", fromFd, fromPath, toFd, toPath, flags);
  }

  mount_setattr(dirfd: Argument, path: Argument, flags: number, attributes: Argument, size: number): Step {
    return this.step("mount_setattr", dirfd, path, flags, attributes, size);
  }

  // Processes, namespaces, signals.
  clone3(cloneArgs: Argument, size: number): Step {
    return this.step("clone3", cloneArgs, size);
  }

  /** clone(2) with the kernel's own order of arguments for x86-64; `tls` and `childTid` differ on arm64 and stay 0. */
  clone = (flags: number, stack: Argument = 0, parentTid: Argument = 0): Step =>
    this.step("clone", flags, stack, parentTid, 0, 0);
  unshare(flags: number): Step {
    return this.step("unshare", flags);
  }

  setns(fd: Argument, nstype: number): Step {
    return this.step("setns", fd, nstype);
  }

  execve(path: Argument, argv: Argument, envp: Argument): Step {
    return this.step("execve", path, argv, envp);
  }

  execveat(dirfd: Argument, path: Argument, argv: Argument, envp: Argument, flags: number): Step {
    return this.step("execveat", dirfd, path, argv, envp, flags);
  }

  exit_group(status: Argument): Step {
    return this.step("exit_group", status);
  }

  waitid(idType: number, id: Argument, info: Argument, options: number): Step {
    return this.step("waitid", idType, id, info, options, null);
  }

  kill(pid: Argument, signal: Argument): Step {
    return this.step("kill", pid, signal);
  }

  pidfd_send_signal(pidfd: Argument, signal: number): Step {
    return this.step("pidfd_send_signal", pidfd, signal, null, 0);
  }

  rt_sigaction = (signal: number, action: Argument, size = 8): Step =>
    this.step("rt_sigaction", signal, action, null, size);
  rt_sigprocmask = (how: number, set: Argument, size = 8): Step =>
    this.step("rt_sigprocmask", how, set, null, size);
  rt_sigtimedwait = (set: Argument, info: Argument, timeout: Argument = null, size = 8): Step =>
    this.step("rt_sigtimedwait", set, info, timeout, size);
  setsid(): Step {
    return this.step("setsid");
  }

  sethostname(name: Argument, length: number): Step {
    return this.step("sethostname", name, length);
  }

  prctl = (option: number, a: Argument = 0, b: Argument = 0, c: Argument = 0, d: Argument = 0): Step =>
    this.step("prctl", option, a, b, c, d);
  prlimit64(pid: number, resource: number, limit: Argument): Step {
    return this.step("prlimit64", pid, resource, limit, null);
  }

  // Credentials and filters.
  setgroups(count: Argument, list: Argument): Step {
    return this.step("setgroups", count, list);
  }

  setresgid(real: Argument, effective: Argument, saved: Argument): Step {
    return this.step("setresgid", real, effective, saved);
  }

  setresuid(real: Argument, effective: Argument, saved: Argument): Step {
    return this.step("setresuid", real, effective, saved);
  }

  capset(header: Argument, data: Argument): Step {
    return this.step("capset", header, data);
  }

  seccomp(operation: number, flags: number, program: Argument): Step {
    return this.step("seccomp", operation, flags, program);
  }

  // Memory.
  mmap(address: number, length: number, protection: number, flags: number, fd: Argument): Step {
    return this.step("mmap", address, length, protection, flags, fd, 0);
  }
}
