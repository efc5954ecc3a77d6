/**
 * Attributes of a process that take privilege, or that are to hold before it is given up: config.md#linux-process and the
 * process's part of config-linux.md. Serves the first process of a container and those that join it.
 *
 * Some take capabilities of the initial user namespace (lower scores, raised limits, real-time scheduling). A process
 * in a user namespace has none of these, so from there the engine sets them: from_host.ts.
 */
import { O_WRONLY } from "../../linux/abi/fcntl.ts";
import type { Program } from "../../linux/program.ts";
import type { Linux, Process } from "../../oci/bundle/config.ts";
import { planNoNewPrivileges } from "./credentials.ts";
import { type LabelHost, planAppArmor, planSelinux } from "./labels.ts";
import { limitSteps, planLimits } from "./limits.ts";
import { openInProc } from "./private_proc.ts";
import {
  planAffinity,
  planMemoryPolicy,
  planPersonality,
  planScheduling,
  planWholeAffinity,
} from "./scheduling.ts";

const OOM_SCORE_SECTION = "set the OOM score";

/** What the attributes depend on besides the process. */
export interface PrivilegedHost extends LabelHost {
  readonly linux?: Pick<Linux, "personality" | "memoryPolicy"> | undefined;
  /** The engine sets what takes privilege of the initial user namespace: {@link applyFromHost}. */
  readonly appliedFromHost: boolean;
  /** The process joins a container: execCPUAffinity counts. */
  readonly joins: boolean;
}

/** Sets the attributes. @throws {ConfigError} for a field that cannot be honoured. */
export function planPrivilegedProcess(program: Program, process: Process, host: PrivilegedHost): void {
  const { linux } = host;
  if (!host.appliedFromHost && process.oomScoreAdj !== undefined) {
    planOomScore(program, process.oomScoreAdj, host);
  }
  planFinalAffinity(program, process, host.joins);
  if (!host.appliedFromHost) planScheduling(program, process);
  if (linux?.personality !== undefined) planPersonality(program, linux.personality);
  if (linux?.memoryPolicy !== undefined) planMemoryPolicy(program, linux.memoryPolicy);
  planAppArmor(program, process.apparmorProfile ?? "", host);
  planSelinux(program, process.selinuxLabel ?? "", host);
  // After the files have been opened: the new limit of descriptors may be lower than their numbers.
  if (!host.appliedFromHost) planLimits(program, limitSteps(process.rlimits));
  if (process.noNewPrivileges === true) planNoNewPrivileges(program);
}

/** config.md#linux-process: where a joining process runs until it is in the container's control group. */
export function planInitialAffinity(program: Program, { execCPUAffinity }: Process): void {
  const list = execCPUAffinity?.initial;
  if (list === undefined || list === "") return;
  planAffinity(program, list, {
    path: "process.execCPUAffinity.initial",
    section: "config.md#linux-process",
  });
}

function planFinalAffinity(program: Program, { execCPUAffinity }: Process, joins: boolean): void {
  const list = joins ? (execCPUAffinity?.final ?? "") : "";
  if (list === "") planWholeAffinity(program);
  else
    planAffinity(program, list, {
      path: "process.execCPUAffinity.final",
      section: "config.md#linux-process",
    });
}

function planOomScore(program: Program, score: number, { proc }: LabelHost): void {
  program.section(OOM_SCORE_SECTION);
  const file = openInProc(program, { proc, path: "self/oom_score_adj" }, O_WRONLY).result;
  program.write(file, String(score), String(score).length);
  program.close(file);
}
