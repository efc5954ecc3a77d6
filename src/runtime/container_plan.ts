/**
 * The whole program of a container: which steps, in which order. Pure: a spec and what is known of the host go in,
 * steps come out; unit tests and `--explain` read them, start.ts runs them.
 *
 * The order is the security: host paths are opened before the root is assembled; the root is entered before anything
 * is looked up in it; descriptors are closed before the working directory is entered; the filter is loaded last.
 */
import { AT_FDCWD, O_PATH, O_RDWR } from "../linux/abi/fcntl.ts";
import { MOUNT_ATTR_RDONLY } from "../linux/abi/mount.ts";
import { CLONE_NEWCGROUP, CLONE_NEWNET, PR_SET_NAME } from "../linux/abi/sched.ts";
import type { Program } from "../linux/program.ts";
import { inheritedFd } from "../linux/spawn.ts";
import type { Argument, Variable } from "../linux/step.ts";
import { planEndWithEngine, planStillEndWithEngine } from "./end_with_engine.ts";
import { planLoopback } from "./network_none.ts";
import { planCredentials } from "./process/credentials.ts";
import { planWorkingDirectory } from "./process/execute.ts";
import { planInit } from "./process/init.ts";
import { planLimits } from "./process/limits.ts";
import { planFilter } from "./process/seccomp.ts";
import { planSignals } from "./process/signals.ts";
import { planStandardStreams, planTerminal } from "./process/terminal.ts";
import { planDev, planDevNodes } from "./rootfs/devices.ts";
import { type ProvidedFile, planCopiedFiles, planFiles } from "./rootfs/files.ts";
import { planKernelFilesystems } from "./rootfs/kernel_filesystems.ts";
import { planMasks } from "./rootfs/mask.ts";
import { planBind, planBindSources, planRequested, setAttributes } from "./rootfs/mounts.ts";
import { planChroot, planPivot } from "./rootfs/pivot.ts";
import { planRoot } from "./rootfs/root.ts";
import type { RootSource } from "./rootfs/root_source.ts";
import { ensureDirectory } from "./rootfs/target.ts";
import type { Mount, Spec } from "./spec/config.ts";

/** The program's end of the socket to its parent. */
const SOCKET = inheritedFd(0);

/** What a container's program depends on besides the spec. */
export interface HostPlan {
  readonly root: RootSource;
  /** Files that are mounted over the image's /etc. */
  readonly files: readonly ProvidedFile[];
  /** How many files of control groups the program inherits after its socket, to write itself into. */
  readonly cgroupProcs: number;
  /** The program inherits the writing ends of two pipes after all else: the command's output and errors. */
  readonly captured: boolean;
  /** cgroup controllers (v1) or `cgroup2`, to be mounted below /sys/fs/cgroup. */
  readonly cgroupMounts: readonly string[];
  /** Array of struct sock_filter; undefined: unconfined. */
  readonly seccompFilter: Uint8Array | undefined;
  readonly ignoredSignals: readonly number[];
  /** Bounding set that the program begins with. */
  readonly hostBounding: bigint;
  readonly setgroupsAllowed: boolean;
  readonly ttyGid: number | undefined;
  /** The command reads this process's standard input; otherwise /dev/null. */
  readonly stdin: boolean;
  readonly init: boolean;
  /** /sys and the control groups can be written: privileged containers. */
  readonly writableKernel: boolean;
}

/**
 * Adds the set-up of the container to a program that has its report page; what follows is the command itself, which
 * process/execute.ts adds.
 */
export function planContainer(program: Program, spec: Spec, host: HostPlan): void {
  planProcess(program, spec, host);
  const mounts = spec.mounts.filter(({ type }) => type !== "none");
  const sources = planBindSources(program, mounts);
  const root = planRoot(program, host.root);
  const terminal =
    host.root.kind === "directory" && !host.root.mounts
      ? planBareRoot(program, root, { spec, host })
      : planMountedRoot(program, { spec, host, root, sources });
  planLookup(program, spec);
  planCommand(program, spec, { host, terminal });
}

/** What belongs to the process rather than to its root. */
function planProcess(program: Program, spec: Spec, host: HostPlan): void {
  planEndWithEngine(program, SOCKET);
  program.section("join the control group");
  for (let index = 1; index <= host.cgroupProcs; index++) program.write(inheritedFd(index), "0", 1);
  if (host.cgroupProcs > 0) program.unshare(CLONE_NEWCGROUP);
  program.section("name the process").prctl(PR_SET_NAME, "bunker:init").ignoreErrors();
  program.umask(0);
  program.section("leave the caller's session").setsid().ignoreErrors();
  program.section("take a session keyring of its own").step("keyctl", 1, null).ignoreErrors();
  const hostname = program.slot("hostname", spec.hostname);
  program.section("set the hostname").sethostname(hostname, Buffer.byteLength(spec.hostname));
  if ((spec.linux.namespaces & CLONE_NEWNET) !== 0) planLoopback(program);
  if (host.captured) planCapture(program, host.cgroupProcs + 1);
}

/** Without `-i` nothing is read: the command gets /dev/null, the container's own where it has one. */
function planEmptyInput(program: Program, directory: Argument, path: string): void {
  program.section("give the command an empty standard input");
  program.dup3(program.openat(directory, path, O_RDWR).result, 0);
}

/** The command's output goes to the pipes that the engine reads. */
function planCapture(program: Program, first: number): void {
  program.section("give the command its outputs");
  program.dup3(inheritedFd(first), 1);
  program.dup3(inheritedFd(first + 1), 2);
}

interface MountedRoot {
  readonly spec: Spec;
  readonly host: HostPlan;
  readonly root: Variable;
  readonly sources: ReadonlyMap<Mount, Variable>;
}

/** Assembles the root with all mounts and enters it. @returns the terminal, where one is asked for. */
function planMountedRoot(program: Program, { spec, host, root, sources }: MountedRoot): Variable | undefined {
  const bindFromHost = spec.linux.uidMappings.length > 0;
  planKernelFilesystems(program, root, { cgroupMounts: host.cgroupMounts, writable: host.writableKernel });
  const dev = planDev(program, root, { devices: spec.linux.devices, bindFromHost, ttyGid: host.ttyGid });
  if (!host.stdin && !spec.process.terminal) planEmptyInput(program, dev, "null");
  planFiles(program, host.files, { root, dev });
  const terminal = spec.process.terminal ? planTerminal(program, { dev, socket: SOCKET }) : undefined;
  const nothing = program.section("mask paths").openat(dev, "null", O_PATH).result;
  planMasks(program, { root, dev, nothing, ...spec.linux });
  for (const mount of spec.mounts) {
    const source = sources.get(mount);
    if (source === undefined) planRequested(program, mount, root);
    else planBind(program, mount, { root, source });
  }
  program.section(`make the working directory "${spec.process.cwd}"`);
  ensureDirectory(program, root, spec.process.cwd);
  if (spec.root.readonly) {
    program.section("make the root read-only");
    setAttributes(program, root, { attributes: MOUNT_ATTR_RDONLY, propagation: 0, recursive: false });
  }
  planPivot(program, root);
  return terminal;
}

/** Where mount(2) is refused: device nodes in the copied root, and chroot(2). */
function planBareRoot(
  program: Program,
  root: Variable,
  { spec, host }: { readonly spec: Spec; readonly host: HostPlan },
): undefined {
  if (!host.stdin) planEmptyInput(program, AT_FDCWD, "/dev/null");
  planDevNodes(program, root, spec.linux.devices);
  planCopiedFiles(program, host.files, root);
  program.section(`make the working directory "${spec.process.cwd}"`);
  ensureDirectory(program, root, spec.process.cwd);
  planChroot(program, root);
  return undefined;
}

/** Lets the parent read the container's own /etc/passwd and fill in who the user is. */
function planLookup(program: Program, spec: Spec): void {
  if (spec.process.user !== undefined) return;
  program.section("look up the user");
  program.write(SOCKET, "u", 1);
  program.read(SOCKET, program.room(8), 1).onZero(program.giveUp);
}

function planCommand(
  program: Program,
  spec: Spec,
  { host, terminal }: { readonly host: HostPlan; readonly terminal: Variable | undefined },
): void {
  const { process } = spec;
  if (terminal !== undefined) planStandardStreams(program, terminal);
  planLimits(program, process.rlimits);
  program.section("close all other descriptors").close_range(3, 0xffffffff, 0);
  const filter = host.seccompFilter;
  const plan = filter === undefined ? undefined : { filter, flags: 0, listener: undefined };
  // Without no_new_privs a filter may be loaded only while CAP_SYS_ADMIN is held (seccomp(2)).
  if (plan !== undefined && !process.noNewPrivileges) planFilter(program, plan);
  planCredentials(program, { ...host, process });
  planStillEndWithEngine(program);
  planWorkingDirectory(program, process.cwd);
  program.section("set the umask of a login").umask(0o022);
  planSignals(program, host.ignoredSignals);
  if (host.init) {
    planInit(program, process);
    planSignals(program, []);
  }
  if (plan !== undefined && process.noNewPrivileges) planFilter(program, plan);
}
