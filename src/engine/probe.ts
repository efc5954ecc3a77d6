/**
 * What the kernel lets a container of this user do, found out by trying: small programs of system calls in new
 * namespaces, which take everything that they mount with them when they end.
 */
import { mkdirSync, mkdtempSync } from "node:fs";
import { removeTree } from "../fs/remove_tree.ts";
import { errnoName } from "../linux/abi/errno.ts";
import { AT_FDCWD, S_IFCHR } from "../linux/abi/fcntl.ts";
import {
  FSCONFIG_SET_STRING,
  MNT_DETACH,
  MOVE_MOUNT_F_EMPTY_PATH,
  MS_MOVE,
  MS_REC,
  MS_SLAVE,
  OPEN_TREE_CLONE,
} from "../linux/abi/mount.ts";
import { CLONE_NEWIPC, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWUTS } from "../linux/abi/sched.ts";
import { SyscallError } from "../linux/call.ts";
import { makedev } from "../linux/file.ts";
import type { Program } from "../linux/program.ts";
import { report, reportAddress } from "../linux/program_core.ts";
import {
  executableOf,
  finishProgram,
  programWithReport,
  type SpawnedProgram,
  spawnProgram,
} from "../linux/spawn.ts";
import type { Label } from "../linux/step.ts";
import { waitForExit } from "../linux/wait.ts";
import { planFilesystem } from "../runtime/rootfs/mounts.ts";
import { startInUserNamespace, type UserMaps } from "../runtime/user_namespace.ts";

/** What is tried, in this order: later trials build on earlier ones. */
const trials = [
  "namespaces",
  "mounts",
  "overlay",
  "tmpfs",
  "overlayOnTmpfs",
  "appendLayers",
  "proc",
  "sysfs",
  "mknod",
  "pivotRoot",
  "moveRoot",
  "chroot",
] as const;

/** Name of a trial. */
export type Trial = (typeof trials)[number];

/** For each trial undefined when it went well, else why not: `"EPERM"`, or `"not tried"`. */
export type ProbeResults = Readonly<Record<Trial | "userNamespaces", string | undefined>>;

/** Tries everything below `parent`, an existing directory on the data root's filesystem. */
export async function probeKernel(parent: string, maps: UserMaps | undefined): Promise<ProbeResults> {
  const directory = mkdtempSync(`${parent}/.bunker-probe-`);
  try {
    for (const name of ["lower", "upper", "work", "tmp", "root"]) mkdirSync(`${directory}/${name}`);
    return { ...probeMounts(directory, maps), userNamespaces: await probeUserNamespaces(directory, maps) };
  } finally {
    removeTree({ dirfd: AT_FDCWD, path: directory });
  }
}

/** Records outcomes in the report page: 1 for a success, else the low 16 bits of the negated error number. */
class Recorder {
  readonly #program: Program;

  constructor(program: Program) {
    this.#program = program;
  }

  /** Adds the steps of one trial; `plan` sends failing steps to the label that it is given. */
  try(trial: Trial, plan: (failed: Label) => void): void {
    const program = this.#program.section(`try ${trial}`);
    const failed = program.label();
    const done = program.label();
    const address = reportAddress + report.values + 8 * trials.indexOf(trial);
    plan(failed);
    program.add(1, 0).storeAt(address).onSuccess(done);
    program.place(failed);
    program.field(reportAddress + report.failure + 8, 0, 0xffff).storeAt(address);
    program.place(done);
  }
}

function probeMounts(directory: string, maps: UserMaps | undefined): Record<Trial, string | undefined> {
  const program = programWithReport();
  planTrials(program, directory, maps !== undefined);
  program.exit_group(0).ignoreErrors();
  const namespaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC;
  try {
    const started = start(finishProgram(program), { namespaces, maps, directory });
    waitForExit(started.pidfd);
    const results = readResults(started);
    started.release();
    return results;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { ...resultsOf(() => "not tried"), namespaces: error.message };
  }
}

interface Start {
  readonly namespaces: number;
  readonly maps: UserMaps | undefined;
  /** Where the program is put when memfds may not be executed. */
  readonly directory: string;
}

function start(program: Program, { namespaces, maps, directory }: Start): SpawnedProgram {
  const programFile = `${directory}/program`;
  if (maps !== undefined) return startInUserNamespace(program, { maps, namespaces, programFile });
  return spawnProgram(executableOf(program), { namespaces, inherit: [], programFile });
}

function readResults({ report: page }: SpawnedProgram): Record<Trial, string | undefined> {
  const view = new DataView(page.bytes.buffer, page.bytes.byteOffset);
  return resultsOf((_, index) => {
    const value = view.getUint32(report.values + 8 * index, true);
    if (value === 0) return "not tried";
    return value === 1 ? undefined : errnoName(0x10000 - value);
  });
}

const resultsOf = (result: (trial: Trial, index: number) => string | undefined) =>
  Object.fromEntries(trials.map((trial, index) => [trial, result(trial, index)])) as Record<
    Trial,
    string | undefined
  >;

function planTrials(program: Program, directory: string, userxattr: boolean): void {
  const recorder = new Recorder(program);
  recorder.try("namespaces", (failed) => {
    program.chdir(directory).onError(failed);
  });
  recorder.try("mounts", (failed) => {
    program.mount(null, "/", null, MS_REC | MS_SLAVE).onError(failed);
  });
  const overlay = (upper: string) => ["lowerdir=lower", `upperdir=${upper}upper`, `workdir=${upper}work`];
  const options = ["volatile", ...(userxattr ? ["userxattr"] : [])];
  const tryFilesystem = (trial: Trial, type: string, data: readonly string[]) =>
    recorder.try(trial, (failed) => {
      planFilesystem(program, { type, source: type, options: data }, failed);
    });
  tryFilesystem("overlay", "overlay", [...overlay(""), ...options]);
  recorder.try("tmpfs", (failed) => {
    program.mount("tmpfs", "tmp", "tmpfs", 0, "mode=755").onError(failed);
    for (const name of ["upper", "work"]) program.mkdirat(AT_FDCWD, `tmp/${name}`, 0o755).onError(failed);
  });
  tryFilesystem("overlayOnTmpfs", "overlay", [...overlay("tmp/"), ...options]);
  recorder.try("appendLayers", (failed) => {
    const fs = program.fsopen("overlay", 0).onError(failed).result;
    program.fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir+", "lower").onError(failed);
  });
  tryFilesystem("proc", "proc", []);
  tryFilesystem("sysfs", "sysfs", []);
  recorder.try("mknod", (failed) => {
    program.mknodat(AT_FDCWD, "null", S_IFCHR | 0o600, makedev(1, 3)).onError(failed);
  });
  planRootTrials(program, recorder);
}

function planRootTrials(program: Program, recorder: Recorder): void {
  recorder.try("pivotRoot", (failed) => {
    const root = program.open_tree(AT_FDCWD, "root", OPEN_TREE_CLONE).onError(failed).result;
    program.move_mount(root, "", AT_FDCWD, "root", MOVE_MOUNT_F_EMPTY_PATH).onError(failed);
    program.fchdir(root).onError(failed);
    program.pivot_root(".", ".").onError(failed);
    program.umount2(".", MNT_DETACH).onError(failed);
  });
  recorder.try("moveRoot", (failed) => {
    program.mount(".", "/", null, MS_MOVE).onError(failed);
  });
  recorder.try("chroot", (failed) => {
    program.chroot(".").onError(failed);
  });
}

/** An ordinary user is in one already, or has none; root tries to make one. */
async function probeUserNamespaces(
  directory: string,
  maps: UserMaps | undefined,
): Promise<string | undefined> {
  const program = programWithReport();
  program.section("try user namespaces");
  if (maps === undefined) program.unshare(CLONE_NEWUSER);
  program.exit_group(0).ignoreErrors();
  try {
    const started = start(finishProgram(program), { namespaces: 0, maps, directory });
    waitForExit(started.pidfd);
    const failure = await started.failure();
    started.release();
    return failure === undefined ? undefined : errnoName(failure.errno);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return error instanceof SyscallError ? error.code : error.message;
  }
}
