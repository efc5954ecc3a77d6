/**
 * The whole program of a container made from an OCI bundle: which steps, in which order (runtime.md#lifecycle). Pure, as
 * container_plan.ts is, whose parts it shares: a configuration and what is known of the host go in, steps come out.
 *
 * The order is the security: host paths are opened before the root is assembled; whatever resolves a path of the image
 * does it beneath a descriptor of the root; what is written to /proc goes through a procfs of our own; after the last
 * question the program only waits, closes its descriptors, loads the filter, and executes.
 */
import { CLONE_NEWCGROUP, CLONE_NEWNET, PR_SET_DUMPABLE, PR_SET_NAME } from "../linux/abi/sched.ts";
import type { Program } from "../linux/program.ts";
import type { Variable } from "../linux/step.ts";
import type { Process, RuntimeConfig } from "../oci/bundle/config.ts";
import { planEndWithEngine, planOutliveEngine } from "./end_with_engine.ts";
import { type NamespacePlan, planFirstProcess, planJoins } from "./namespaces.ts";
import { planLoopback } from "./network_none.ts";
import { planHook } from "./process/hook.ts";
import { planSessionKeyring } from "./process/keyring.ts";
import { planPrivateProc } from "./process/private_proc.ts";
import { planSysctls } from "./process/sysctl.ts";
import { consoleOf, needsProc, type ProcessHost, planReady, planRelease } from "./process_plan.ts";
import { ask } from "./requests.ts";
import type { BundleRootHost } from "./rootfs/bundle_host.ts";
import { planBundleRoot } from "./rootfs/bundle_root.ts";
import { planConsole } from "./rootfs/console.ts";
import { planEnterRoot } from "./rootfs/enter_root.ts";

/** Numbers that the inherited descriptors have in the program; undefined where there is none. */
export interface BundleFds {
  readonly socket: number;
  /** Files of control groups that a process joins by writing "0" into them. */
  readonly cgroup: readonly number[];
  /** In the order of the namespace plan's joins. */
  readonly joins: readonly number[];
  /** The fifo that `start` writes to; without it the command follows at once. */
  readonly fifo: number | undefined;
  /** A connected socket that takes the terminal's master: the caller's, or the engine's own where it relays. */
  readonly console: number;
  /** Files with the state document, for hooks that run in the container's process. */
  readonly createState: number | undefined;
  readonly startState: number | undefined;
}

/** What the program depends on besides the configuration. */
export interface BundleHost {
  readonly id: string;
  readonly namespaces: NamespacePlan;
  readonly fds: BundleFds;
  readonly root: BundleRootHost;
  readonly process: ProcessHost;
  readonly noNewKeyring: boolean;
  /** The engine puts the process into its control group: systemd's way. */
  readonly engineJoinsCgroup: boolean;
  /** The engine has something to do between namespaces and pivot. */
  readonly asksForHooks: boolean;
}

/** Adds all steps to a program that has its report page. @returns the index of the first step after the release. */
export function planBundle(program: Program, config: RuntimeConfig, host: BundleHost): number {
  const { fds } = host;
  const process = config.process as Process;
  planEndWithEngine(program, fds.socket);
  planJoinCgroup(program, host);
  planNamespaces(program, config, host);
  const proc = planSurroundings(program, config, host);
  const root = planBundleRoot(program, config, host.root);
  if (host.asksForHooks) ask(program, fds.socket, "h");
  planHooks(program, "createContainer", { config, host, state: fds.createState });
  if (process.terminal === true) {
    planConsole(program, { ...consoleOf(process, fds), root: root.root, mountConsole: true });
  }
  planEnterRoot(program, root);
  planSysctls(program, config.linux?.sysctl ?? {}, proc);
  const place = { linux: config.linux ?? {}, proc, joins: false };
  const path = planReady(program, process, { ...host.process, ...place });
  // In a PID namespace that others are in it waits among them: nobody there is to look at its descriptors.
  program.section("hide from the container").prctl(PR_SET_DUMPABLE, 0);
  // First: an engine that has answered may be gone before the next step. One that ends sooner leaves no answer.
  planOutliveEngine(program);
  ask(program, fds.socket, "s");
  if (fds.fifo !== undefined) {
    program.section("wait for start").read(fds.fifo, program.room(8), 1).onZero(program.giveUp);
  }
  const released = program.steps.length;
  planHooks(program, "startContainer", { config, host, state: fds.startState });
  planRelease(program, process, { ...host.process, path });
  return released;
}

interface ContainerHooks {
  readonly config: RuntimeConfig;
  readonly host: BundleHost;
  readonly state: number | undefined;
}

function planHooks(
  program: Program,
  kind: "createContainer" | "startContainer",
  { config, host, state }: ContainerHooks,
): void {
  if (state === undefined) return;
  const { ignoredSignals } = host.process;
  // Before the root is entered paths are those of the runtime, and so is the place where hooks begin.
  const place = kind === "createContainer" ? { cwd: host.root.bundle } : {};
  for (const [index, hook] of (config.hooks?.[kind] ?? []).entries()) {
    planHook(program, hook, { kind, index, state, ignoredSignals, ...place });
  }
}

/** Before anything else, so that all that the program uses counts. */
function planJoinCgroup(program: Program, { fds, engineJoinsCgroup }: BundleHost): void {
  program.section("join the control group");
  for (const fd of fds.cgroup) program.write(fd, "0", 1);
  if (engineJoinsCgroup) ask(program, fds.socket, "c");
}

function planNamespaces(program: Program, { linux }: RuntimeConfig, { namespaces, fds }: BundleHost): void {
  if (namespaces.staged) {
    const timeOffsets = linux?.timeOffsets !== undefined;
    planFirstProcess(program, { plan: namespaces, joinFds: fds.joins, socket: fds.socket, timeOffsets });
    planEndWithEngine(program, fds.socket);
  } else {
    planJoins(
      program,
      namespaces.joins.map(({ flag }, index) => [flag, fds.joins[index] as number] as const),
    );
  }
  if (namespaces.cgroup) program.section("make namespaces").unshare(CLONE_NEWCGROUP);
}

/**
 * What belongs to the process and its namespaces rather than to its root.
 * @returns the private procfs, which is opened while a whole one is visible still.
 */
function planSurroundings(program: Program, config: RuntimeConfig, host: BundleHost): Variable {
  const process = config.process as Process;
  program.section("name the process").prctl(PR_SET_NAME, "bunker:init").ignoreErrors();
  program.umask(0);
  program.section("leave the caller's session").setsid().ignoreErrors();
  const sysctl = Object.keys(config.linux?.sysctl ?? {}).length > 0;
  const needed = needsProc(process) || sysctl;
  const proc = needed ? planPrivateProc(program, { full: sysctl }) : program.variable("proc");
  const { modules } = host.process;
  const label = process.selinuxLabel ?? "";
  if (!host.noNewKeyring) planSessionKeyring(program, { id: host.id, label, proc, modules });
  const { hostname, domainname } = config;
  if (hostname !== undefined) {
    program.section("set the hostname").sethostname(hostname, Buffer.byteLength(hostname));
  }
  if (domainname !== undefined) {
    program.section("set the domain name").step("setdomainname", domainname, Buffer.byteLength(domainname));
  }
  if ((host.namespaces.made & CLONE_NEWNET) !== 0) planLoopback(program);
  return proc;
}
