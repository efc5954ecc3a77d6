/**
 * The process of a bundle on this machine's own root: what its plans make of a process, without the rest of a container.
 *
 *     const { stdout } = await runProcess({ process: { user: { uid: 1, gid: 1 } }, script: "id -u" });
 */
import { call } from "../../src/linux/call.ts";
import { pipe2 } from "../../src/linux/pipe.ts";
import type { Program } from "../../src/linux/program.ts";
import {
  executableOf,
  finishProgram,
  inheritedFd,
  type ProgramFailure,
  programWithReport,
  type SpawnedProgram,
  spawnProgram,
} from "../../src/linux/spawn.ts";
import type { Variable } from "../../src/linux/step.ts";
import { type Exit, waitForExit } from "../../src/linux/wait.ts";
import type { Linux, Process } from "../../src/oci/bundle/config.ts";
import { readSecurityModules } from "../../src/runtime/process/labels.ts";
import { planPrivateProc } from "../../src/runtime/process/private_proc.ts";
import { planPrivilegedProcess } from "../../src/runtime/process/privileged.ts";
import { planFilter } from "../../src/runtime/process/seccomp.ts";
import { planSysctls } from "../../src/runtime/process/sysctl.ts";
import { planUserProcess } from "../../src/runtime/process/user.ts";
import { bundleFilter } from "../../src/runtime/security/bundle_filter.ts";

/** What is run. */
export interface ProcessRun {
  readonly process?: Partial<Process>;
  readonly linux?: Linux;
  /** For `/bin/sh -c`; or the whole command. */
  readonly script?: string;
  readonly args?: readonly string[];
  /** CLONE_NEW* [0] */
  readonly namespaces?: number;
  /** Adds steps before the attributes. */
  readonly before?: (program: Program, proc: Variable) => void;
  /** Called while the program runs. */
  readonly onSpawned?: (spawned: SpawnedProgram) => void;
  readonly joins?: boolean;
}

/** How it ended. */
export interface ProcessResult {
  readonly stdout: string;
  readonly exit: Exit;
  readonly failure: ProgramFailure | undefined;
  readonly warnings: readonly string[];
}

/** Every capability that this process can give, as the host's bounding set. */
export const hostBounding = BigInt(`0x${statusOf("CapBnd")}`);

/** A field of this process's /proc/self/status. */
export function statusOf(name: string): string {
  const text = new TextDecoder().decode(Bun.spawnSync(["cat", "/proc/self/status"]).stdout);
  return new RegExp(`^${name}:\\s*(.*)$`, "m").exec(text)?.[1] ?? "";
}

/** Runs the process and waits for it. */
export async function runProcess(run: ProcessRun): Promise<ProcessResult> {
  const process: Process = { cwd: "/", user: { uid: 0, gid: 0 }, ...run.process };
  const program = programWithReport();
  const warnings = planAll(program, process, run);
  const args = run.args ?? ["/bin/sh", "-c", run.script ?? "true"];
  program.section("execute").execve(args[0] as string, args, ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]);
  const { read: reading, write: writing } = pipe2();
  const spawned = spawnProgram(executableOf(finishProgram(program)), {
    namespaces: run.namespaces ?? 0,
    inherit: [writing],
  });
  call("close", writing);
  try {
    run.onSpawned?.(spawned);
    const stdout = readToEnd(reading);
    const exit = waitForExit(spawned.pidfd);
    return { stdout, exit, failure: await spawned.failure(), warnings };
  } finally {
    call("close", reading);
    spawned.release();
  }
}

function planAll(program: Program, process: Process, run: ProcessRun): readonly string[] {
  const { linux } = run;
  program.section("give the command its output").dup3(inheritedFd(0), 1);
  const proc = planPrivateProc(program, { full: linux?.sysctl !== undefined });
  run.before?.(program, proc);
  if (linux?.sysctl !== undefined) planSysctls(program, linux.sysctl, proc);
  const modules = readSecurityModules();
  planPrivilegedProcess(program, process, {
    proc,
    modules,
    linux,
    appliedFromHost: false,
    joins: run.joins ?? false,
  });
  const filter = linux?.seccomp === undefined ? undefined : bundleFilter(linux.seccomp);
  if (filter !== undefined && process.noNewPrivileges !== true) planFilter(program, filter);
  const warnings = planUserProcess(program, process, { hostBounding, setgroupsAllowed: true });
  program.section("close all other descriptors").close_range(3, 0xffffffff, 0);
  if (filter !== undefined && process.noNewPrivileges === true) planFilter(program, filter);
  return warnings;
}

function readToEnd(fd: number): string {
  const chunk = new Uint8Array(new ArrayBuffer(65536));
  let text = "";
  for (;;) {
    const count = call("read", fd, chunk, chunk.length);
    if (count === 0) return text;
    text += new TextDecoder().decode(chunk.subarray(0, count));
  }
}
