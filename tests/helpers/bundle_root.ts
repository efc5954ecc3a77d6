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
  CLONE_NEWUSER,
  CLONE_NEWUTS,
  PR_SET_PDEATHSIG,
  SIGKILL,
} from "../../src/linux/abi/sched.ts";
import { call } from "../../src/linux/call.ts";
import { failureError } from "../../src/linux/failure.ts";
import type { Program } from "../../src/linux/program.ts";
import { socketpair } from "../../src/linux/socket_pair.ts";
import {
  executableOf,
  finishProgram,
  inheritedFd,
  programWithReport,
  type SpawnedProgram,
  spawnProgram,
} from "../../src/linux/spawn.ts";
import { type Exit, pollForExit } from "../../src/linux/wait.ts";
import type { Mount, RuntimeConfig } from "../../src/oci/bundle/config.ts";
import { writeIdMaps } from "../../src/runtime/process/id_maps.ts";
import { planBundleRoot } from "../../src/runtime/rootfs/bundle_root.ts";
import { type BundleRoot, planEnterRoot } from "../../src/runtime/rootfs/enter_root.ts";
import {
  type PreparedRoot,
  prepareBundleRoot,
  type RootRequest,
} from "../../src/runtime/rootfs/prepare_root.ts";

const BUSYBOX = "/usr/bin/busybox";

/** A bundle without config.json: its rootfs has a busybox and the usual directories. @returns its path */
export function makeBundle(directory: string): string {
  const bundle = `${directory}/bundle`;
  for (const name of ["bin", "etc", "tmp", "proc", "sys", "dev"])
    mkdirSync(`${bundle}/rootfs/${name}`, { recursive: true });
  copyFileSync(BUSYBOX, `${bundle}/rootfs/bin/busybox`);
  return bundle;
}

/** The mounts that most containers have. */
export const usualMounts: readonly Mount[] = [
  { destination: "/proc", type: "proc", source: "proc" },
  {
    destination: "/dev",
    type: "tmpfs",
    source: "tmpfs",
    options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
  },
  {
    destination: "/dev/pts",
    type: "devpts",
    source: "devpts",
    options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
  },
];

/** A configuration with more mounts than the usual ones. */
export const configWith = (
  mounts: readonly Mount[],
  changes: Partial<RuntimeConfig> = {},
): RuntimeConfig => ({
  ociVersion: "1.3.0",
  root: { path: "rootfs" },
  mounts: [...usualMounts, ...mounts],
  ...changes,
});

/** What is run, where. */
export interface RootRun {
  readonly config: RuntimeConfig;
  readonly bundle: string;
  /** For `/bin/busybox sh -c`; builtins and applets. */
  readonly script: string;
  readonly request?: Partial<RootRequest>;
  /** The network namespace is not its own. */
  readonly hostNetwork?: boolean;
  /** Adds steps between the assembled root and the way in: hooks, a console. */
  readonly between?: (program: Program, root: BundleRoot) => void;
  /** Inherited after the standard output, from inheritedFd(1) on. */
  readonly inherit?: readonly number[];
}

/** How it ended. */
export interface RootResult {
  readonly exit: Exit;
  /** Standard output and error. */
  readonly output: string;
  /** The step that failed, as an error message. */
  readonly failure: string | undefined;
}

/** Assembles the root and runs the script in it. @throws {UsageError} for what is refused before */
export async function runInRoot(run: RootRun): Promise<RootResult> {
  const { config, bundle, inherit = [], request = {} } = run;
  using prepared = await prepareBundleRoot(config, {
    bundle,
    mountNamespace: true,
    userNamespace: config.linux?.uidMappings !== undefined,
    noPivot: false,
    cgroup: { kind: "none" },
    firstInherited: 1 + inherit.length,
    programFile: `${bundle}/program`,
    ...request,
  });
  const program = planRun(run, prepared);
  const outputFile = `${bundle}/output`;
  const output = openSync(outputFile, "w");
  const started = start(program, run, [output, ...inherit, ...prepared.inherit]);
  closeSync(output);
  try {
    const exit = await pollForExit(started.pidfd);
    const failure = await started.failure();
    return {
      exit,
      output: readFileSync(outputFile, "utf8"),
      failure:
        failure === undefined ? undefined : `${failure.step.purpose}: ${failureError(failure).message}`,
    };
  } finally {
    started.release();
  }
}

function planRun({ config, script, between }: RootRun, { host }: PreparedRoot): Program {
  const program = programWithReport();
  program.prctl(PR_SET_PDEATHSIG, SIGKILL);
  program.setsid();
  const root = planBundleRoot(program, config, host);
  between?.(program, root);
  planEnterRoot(program, root);
  program.section("run the script");
  for (const fd of [1, 2]) program.dup3(inheritedFd(0), fd);
  program.close_range(3, 0xffffffff, 0);
  program.umask(0o022);
  program.execve("/bin/busybox", ["sh", "-c", script], ["PATH=/bin"]);
  return finishProgram(program);
}

const NAMESPACES = CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

function start(
  program: Program,
  { config, request, hostNetwork }: RootRun,
  inherit: readonly number[],
): SpawnedProgram {
  const network = hostNetwork === true ? CLONE_NEWNET : 0;
  const namespaces = (NAMESPACES & ~network) | (request?.mountNamespace === false ? 0 : CLONE_NEWNS);
  const { uidMappings, gidMappings = [] } = config.linux ?? {};
  if (uidMappings === undefined) return spawnProgram(executableOf(program), { namespaces, inherit });
  const [engine, child] = socketpair();
  try {
    const options = { namespaces: namespaces | CLONE_NEWUSER, inherit, waitFd: child };
    const started = spawnProgram(executableOf(program), options);
    writeIdMaps(started.pid, { uidMappings, gidMappings });
    call("write", engine, new Uint8Array([0x6d]), 1);
    return started;
  } finally {
    call("close", child);
    call("close", engine);
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
    const [type = "", source = "", flags = ""] = filesystem.split(" ");
    // What a kernel with CONFIG_TMPFS_INODE64 says of each tmpfs.
    const superblock = flags.replace(/,inode64$/, "");
    if (type !== "")
      lines[point] = { root, options, propagation: propagation.join(" "), type, source, superblock };
  }
  return lines;
}
