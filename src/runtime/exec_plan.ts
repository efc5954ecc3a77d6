/**
 * The program of `exec`: another process in the namespaces of a container that exists. Everything there may be hostile,
 * so from the first namespace on nothing of the host can be reached through it: it is not dumpable, so that nobody in the
 * container traces it or looks at its descriptors (CVE-2016-9962), and no descriptor of a directory is left when it enters
 * the working directory (CVE-2024-21626).
 */
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_PATH, O_WRONLY } from "../linux/abi/fcntl.ts";
import { CLONE_NEWUSER, PR_SET_DUMPABLE, PR_SET_NAME } from "../linux/abi/sched.ts";
import type { Program } from "../linux/program.ts";
import type { Process } from "../oci/bundle/config.ts";
import { planEndWithEngine, planOutliveEngine } from "./end_with_engine.ts";
import { needsSecond, planNamespaceRoot, planSecondProcess } from "./namespaces.ts";
import { planPrivateProc } from "./process/private_proc.ts";
import { planInitialAffinity } from "./process/privileged.ts";
import {
  consoleOf,
  needsProc,
  type ProcessHost,
  type ProcessPlace,
  planReady,
  planRelease,
} from "./process_plan.ts";
import { ask } from "./requests.ts";
import { planConsole } from "./rootfs/console.ts";

/** Numbers that the inherited descriptors have in the program. */
export interface ExecFds {
  readonly socket: number;
  readonly cgroup: readonly number[];
  /** pidfd of the container's first process. */
  readonly container: number;
  /** Its root directory. */
  readonly root: number;
  /** Takes the terminal's master. */
  readonly console: number;
}

/** What the program depends on besides the process. */
export interface ExecHost {
  readonly fds: ExecFds;
  /** CLONE_NEW* flags of the namespaces in which the container differs from the engine. */
  readonly namespaces: number;
  readonly process: ProcessHost;
  readonly linux: ProcessPlace["linux"];
}

/** Adds all steps to a program that has its report page. */
export function planExec(program: Program, process: Process, host: ExecHost): void {
  const { fds, namespaces } = host;
  planEndWithEngine(program, fds.socket);
  program.section("name the process").prctl(PR_SET_NAME, "bunker:exec").ignoreErrors();
  planInitialAffinity(program, process);
  program.section("join the control group");
  for (const fd of fds.cgroup) program.write(fd, "0", 1);
  // From a user namespace it could not, and who hides cannot be helped by an ordinary user's engine.
  if (host.process.appliedFromHost && process.oomScoreAdj !== undefined) {
    const text = String(process.oomScoreAdj);
    program.section("set the OOM score");
    const file = program.openat(AT_FDCWD, "/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC).result;
    program.write(file, text, text.length);
    program.close(file);
  }
  program.section("hide from the container").prctl(PR_SET_DUMPABLE, 0);
  if (namespaces !== 0) program.section("join namespaces").setns(fds.container, namespaces);
  if ((namespaces & CLONE_NEWUSER) !== 0) planNamespaceRoot(program);
  if (needsSecond(namespaces)) {
    planSecondProcess(program);
    planEndWithEngine(program, fds.socket);
  }
  const proc = needsProc(process) ? planPrivateProc(program, { full: false }) : program.variable("proc");
  program.umask(0);
  program.section("leave the caller's session").setsid().ignoreErrors();
  // Not the namespace's own root: the container's may have been entered by chroot, in the host's mount namespace even.
  program.section("enter the root directory").fchdir(fds.root);
  program.chroot(".");
  if (process.terminal === true) {
    const root = program.section("open the root").openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY).result;
    planConsole(program, { ...consoleOf(process, fds), root, mountConsole: false });
  }
  const place = { linux: host.linux, proc, joins: true };
  const path = planReady(program, process, { ...host.process, ...place });
  // First: an engine that has answered may be gone before the next step. One that ends sooner leaves no answer.
  planOutliveEngine(program);
  ask(program, fds.socket, "s");
  planRelease(program, process, { ...host.process, path });
}
