/**
 * The process of a container, from a root that has been entered to the execve of its command: the same steps for the
 * first process and for those of `exec`.
 *
 * The filter is loaded last, also where no_new_privs is not wanted: CAP_SYS_ADMIN, which that takes (seccomp(2)), is kept
 * until then and given up by the one call between filter and execve. So a profile need not allow what we do.
 */
import type { Program } from "../linux/program.ts";
import { reportAddress } from "../linux/program_core.ts";
import type { Slot, Variable, Words } from "../linux/step.ts";
import type { Linux, Process } from "../oci/bundle/config.ts";
import { planStillEndWithEngine } from "./end_with_engine.ts";
import { planWorkingDirectory } from "./process/execute.ts";
import { planExecuteFound, planFindCommand } from "./process/find_command.ts";
import { identityLayout, lacksHome } from "./process/identity.ts";
import type { SecurityModules } from "./process/labels.ts";
import { planPrivilegedProcess } from "./process/privileged.ts";
import { planFilter } from "./process/seccomp.ts";
import { planSignals } from "./process/signals.ts";
import { planFinalCapabilities, planUserProcess } from "./process/user.ts";
import type { CompiledFilter } from "./security/bundle_filter.ts";

const FD_MAX = 0xffffffff;
/** CLOSE_RANGE_CLOEXEC of close_range(2). */
const ON_EXEC = 4;
const CAP_SYS_ADMIN = 1n << 21n;

/** What a process depends on besides its configuration. */
export interface ProcessHost {
  /** Descriptors from 3 on that the command is to have. */
  readonly preserveFds: number;
  /** First and last descriptor that is used until the command is executed; none of them is a directory. */
  readonly keptFds: readonly [first: number, last: number];
  readonly ignoredSignals: readonly number[];
  /** Bounding set that the program begins with. */
  readonly hostBounding: bigint;
  readonly setgroupsAllowed: boolean;
  readonly modules: SecurityModules;
  /** The process is in a user namespace, so the engine sets what takes rights of the host: process/from_host.ts. */
  readonly appliedFromHost: boolean;
  readonly filter: CompiledFilter | undefined;
  /** Is told what of the configuration is left out [nobody]. */
  readonly warn?: ((message: string) => void) | undefined;
}

/** What the process finds when its root has been entered. */
export interface ProcessPlace {
  readonly linux: Pick<Linux, "personality" | "memoryPolicy">;
  /** A private procfs, where {@link needsProc} says so. */
  readonly proc: Variable;
  /** It joins a container. */
  readonly joins: boolean;
}

/** The name that an engine which relays the terminal itself knows its master by: a letter, as all that it is sent. */
const RELAYED_NAME = "t";

/** What the console is made with, for a process and the descriptors of its program. */
export const consoleOf = (
  { consoleSize, user }: Process,
  fds: { readonly socket: number; readonly console: number },
) => ({
  socket: fds.console,
  size: consoleSize,
  uid: user.uid,
  ...(fds.console === fds.socket ? { name: RELAYED_NAME } : {}),
});

/** Whether anything is to be written to /proc. */
export const needsProc = ({ oomScoreAdj, apparmorProfile, selinuxLabel }: Process): boolean =>
  oomScoreAdj !== undefined || (apparmorProfile ?? "") !== "" || (selinuxLabel ?? "") !== "";

/** Everything but the command: descriptors, attributes, user, working directory. @returns the command's path. */
export function planReady(program: Program, process: Process, place: ProcessHost & ProcessPlace): Variable {
  planPrivilegedProcess(program, process, place);
  planCloseOthers(program, place);
  const warnings = planUserProcess(program, process, { ...place, kept: keptOf(process, place) });
  for (const warning of warnings) place.warn?.(warning);
  planStillEndWithEngine(program);
  planWorkingDirectory(program, process.cwd);
  return planFindCommand(program, { args: process.args ?? [], env: process.env ?? [] });
}

/** What loading the filter takes. */
const keptOf = ({ noNewPrivileges }: Process, { filter }: ProcessHost): bigint =>
  filter !== undefined && noNewPrivileges !== true ? CAP_SYS_ADMIN : 0n;

/** Nothing that leads to the host may be open when the working directory is entered: CVE-2024-21626. */
function planCloseOthers(program: Program, { preserveFds, keptFds: [first, last] }: ProcessHost): void {
  program.section("close all other descriptors").close_range(3 + preserveFds, first - 1, 0);
  program.close_range(last + 1, FD_MAX, 0);
  program.close_range(first, last, ON_EXEC);
}

/** From the last word of the engine to the command. */
export function planRelease(
  program: Program,
  process: Process,
  { path, ...host }: ProcessHost & { readonly path: Variable },
): void {
  const { filter, ignoredSignals } = host;
  const envp = environmentOf(program, process);
  planSignals(program, ignoredSignals);
  if (filter !== undefined) planFilter(program, filter);
  const kept = keptOf(process, host);
  if (kept !== 0n) planFinalCapabilities(program, process, { ...host, kept });
  const argv = program.words(...slotsOf(program, "arg", process.args), 0);
  planExecuteFound(program, path, { argv, envp });
}

/**
 * Arguments and environment may hold secrets. A program that is kept for the next container is kept without what is in
 * its slots (engine/bundle/program_cache.ts).
 */
const slotsOf = (program: Program, name: string, texts: readonly string[] = []): Slot[] =>
  texts.map((text, index) => program.slot(`${name} ${index}`, text));

/** Without HOME the engine writes what the container's /etc/passwd says into the report page, as runc does. */
function environmentOf(program: Program, { env = [] }: Process): Words {
  return program.words(
    ...slotsOf(program, "env", env),
    ...(lacksHome(env) ? [reportAddress + identityLayout.home] : []),
    0,
  );
}
