/**
 * A container of nothing but its root: assembles the root of a bundle in namespaces of its own, enters it, and runs a
 * script of the static busybox that the root holds.
 *
 *     const bundle = makeBundle(sandbox.directory);
 *     const { output } = await runInRoot({ config, bundle, script: "cat /proc/self/mountinfo" });
 */
import { closeSync, copyFileSync, mkdirSync, openSync, readFileSync } from "node:fs";
import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUTS,
  PR_SET_PDEATHSIG,
  SIGKILL,
} from "../../src/linux/abi/sched.ts";
import { failureError } from "../../src/linux/failure.ts";
import {
  executableOf,
  finishProgram,
  inheritedFd,
  programWithReport,
  spawnProgram,
} from "../../src/linux/spawn.ts";
import { type Exit, pollForExit } from "../../src/linux/wait.ts";
import type { RuntimeConfig } from "../../src/oci/bundle/config.ts";
import { planBundleRoot } from "../../src/runtime/rootfs/bundle_root.ts";
import { planEnterRoot } from "../../src/runtime/rootfs/enter_root.ts";
import { prepareBundleRoot, type RootRequest } from "../../src/runtime/rootfs/prepare_root.ts";

const BUSYBOX = "/usr/bin/busybox";

/** A bundle without config.json: its rootfs has a busybox and the usual directories. @returns its path */
export function makeBundle(directory: string): string {
  const bundle = `${directory}/bundle`;
  for (const name of ["bin", "etc", "tmp", "proc", "sys", "dev"])
    mkdirSync(`${bundle}/rootfs/${name}`, { recursive: true });
  copyFileSync(BUSYBOX, `${bundle}/rootfs/bin/busybox`);
  return bundle;
}

/** What is run, where. */
export interface RootRun {
  readonly config: RuntimeConfig;
  readonly bundle: string;
  /** For `/bin/busybox sh -c`; builtins and applets. */
  readonly script: string;
  readonly request?: Partial<RootRequest>;
}

/** How it ended. */
export interface RootResult {
  readonly exit: Exit;
  /** Standard output and error. */
  readonly output: string;
  /** The step that failed, as an error message. */
  readonly failure: string | undefined;
  readonly steps: number;
}

/** Assembles the root and runs the script in it. @throws {UsageError} for what the plan refuses */
export async function runInRoot({ config, bundle, script, request = {} }: RootRun): Promise<RootResult> {
  using prepared = await prepareBundleRoot(config, {
    bundle,
    mountNamespace: true,
    userNamespace: false,
    noPivot: false,
    cgroup: { kind: "none" },
    firstInherited: 1,
    programFile: `${bundle}/program`,
    ...request,
  });
  const program = programWithReport();
  program.prctl(PR_SET_PDEATHSIG, SIGKILL);
  planEnterRoot(program, planBundleRoot(program, config, prepared.host));
  program.section("run the script");
  for (const fd of [1, 2]) program.dup3(inheritedFd(0), fd);
  program.close_range(3, 0xffffffff, 0);
  program.execve("/bin/busybox", ["sh", "-c", script], ["PATH=/bin"]);
  const steps = program.steps.length;
  const outputFile = `${bundle}/output`;
  const output = openSync(outputFile, "w");
  const namespaces =
    CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
  const started = spawnProgram(executableOf(finishProgram(program)), {
    namespaces: request.mountNamespace === false ? namespaces & ~CLONE_NEWNS : namespaces,
    inherit: [output, ...prepared.inherit],
  });
  closeSync(output);
  try {
    const exit = await pollForExit(started.pidfd);
    const failure = await started.failure();
    return {
      exit,
      output: readFileSync(outputFile, "utf8"),
      failure:
        failure === undefined ? undefined : `${failure.step.purpose}: ${failureError(failure).message}`,
      steps,
    };
  } finally {
    started.release();
  }
}

/** A line of mountinfo: proc_pid_mountinfo(5). */
export interface MountLine {
  /** Path inside the filesystem. */
  readonly root: string;
  readonly options: string;
  /** Optional fields: `shared:1`, `master:2`, `unbindable`. */
  readonly propagation: string;
  readonly type: string;
  readonly source: string;
  readonly superblock: string;
}

/** Lines of /proc/self/mountinfo by mount point; of several the last counts. */
export function mountsOf(mountinfo: string): Readonly<Record<string, MountLine>> {
  const lines: Record<string, MountLine> = {};
  for (const line of mountinfo.split("\n")) {
    const [own = "", filesystem = ""] = line.split(" - ");
    const [, , , root = "", point = "", options = "", ...propagation] = own.split(" ");
    const [type = "", source = "", superblock = ""] = filesystem.split(" ");
    if (type !== "")
      lines[point] = { root, options, propagation: propagation.join(" "), type, source, superblock };
  }
  return lines;
}
