/** `exec`: runs another process in a container (runc's exec; the process is that of config.md#process). */

import { readSmallFile } from "../../linux/small_file.ts";
import type { Process, RuntimeConfig } from "../../oci/bundle/config.ts";
import { parseConfig, parseProcess } from "../../oci/bundle/parse.ts";
import { checkId } from "./container_id.ts";
import { type RuntimeContext, RuntimeError } from "./context.ts";
import { startExec } from "./exec_program.ts";
import { letGo } from "./let_go.ts";
import { checkPreserved } from "./preserved_fds.ts";
import { statusOf } from "./state.ts";
import { readConfigFile, readStateFile, type StateFile } from "./state_file.ts";

/** The flags of runc's `exec`. */
export interface ExecOptions {
  /** A file with the whole process; nothing else about the process may be given then. */
  readonly processFile?: string;
  /** The command; without a file the rest is that of the container's own process. */
  readonly args: readonly string[];
  readonly cwd?: string;
  /** `KEY=value`, added to the container's. */
  readonly env: readonly string[];
  readonly user?: { readonly uid: number; readonly gid?: number };
  readonly additionalGids: readonly number[];
  /** Capabilities that are added to the container's. */
  readonly caps: readonly string[];
  readonly noNewPrivs?: boolean;
  readonly tty: boolean;
  readonly detach: boolean;
  readonly pidFile?: string;
  readonly consoleSocket?: string;
  readonly pidfdSocket?: string;
  readonly preserveFds: number;
  /** Groups below the container's: `PATH` or `CONTROLLER:PATH`. */
  readonly cgroup: readonly string[];
  readonly ignorePaused: boolean;
  readonly processLabel?: string;
  readonly apparmor?: string;
}

/** A container with what an exec needs to know of it. */
export interface ExecTarget {
  readonly file: StateFile;
  readonly config: RuntimeConfig;
  readonly process: Process;
}

/**
 * Runs the process. @returns its status, or 0 once it runs detached.
 * @throws {RuntimeError} when the container does not run, or the command cannot.
 */
export async function execProcess(
  id: string,
  options: ExecOptions,
  context: RuntimeContext,
): Promise<number> {
  const directory = `${context.root}/${checkId(id)}`;
  const file = readStateFile(directory);
  if (file === undefined) throw new RuntimeError("container does not exist");
  await checkStatus(file, { directory, options, context });
  const config = parseConfig(readConfigFile(directory));
  const process = processOf(config, options);
  checkConsole(process, options);
  checkPreserved(options.preserveFds);
  const started = await startExec({ file, config, process }, options, context);
  const { awaitCommand, superviseCommand } = await import("./supervise.ts");
  await awaitCommand(started, {
    process: { args: process.args ?? [], cwd: process.cwd },
    linux: config.linux ?? {},
    file,
  });
  if (options.detach) {
    letGo(started);
    return 0;
  }
  return superviseCommand(started);
}

interface StatusCheck {
  readonly directory: string;
  readonly options: ExecOptions;
  readonly context: RuntimeContext;
}

async function checkStatus(file: StateFile, { directory, options, context }: StatusCheck): Promise<void> {
  const status = statusOf(file, { directory, context });
  if (status === "stopped") throw new RuntimeError("cannot exec in a stopped container");
  if (status === "creating") throw new RuntimeError("cannot exec in a container that is being created");
  if (status === "paused" && !options.ignorePaused) {
    throw new RuntimeError("cannot exec in a paused container (use --ignore-paused to override)");
  }
}

function checkConsole({ terminal }: Process, { detach, consoleSocket }: ExecOptions): void {
  if (terminal === true && detach && consoleSocket === undefined) {
    throw new RuntimeError("cannot allocate tty if runc will detach without setting console socket");
  }
  if (consoleSocket !== undefined && (terminal !== true || !detach)) {
    throw new RuntimeError("cannot use console socket if runc will not detach or allocate tty");
  }
}

function processOf(config: RuntimeConfig, options: ExecOptions): Process {
  if (options.processFile !== undefined) {
    const bytes = readSmallFile(options.processFile);
    if (bytes === undefined) throw new RuntimeError(`open ${options.processFile}: no such file or directory`);
    return parseProcess(bytes);
  }
  const base = config.process as Process;
  const { user, additionalGids } = options;
  return {
    ...base,
    args: options.args,
    terminal: options.tty,
    env: [...(base.env ?? []), ...options.env],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    user: { ...base.user, ...user, ...(additionalGids.length > 0 ? { additionalGids } : {}) },
    ...(options.noNewPrivs === undefined ? {} : { noNewPrivileges: options.noNewPrivs }),
    ...(options.apparmor === undefined ? {} : { apparmorProfile: options.apparmor }),
    ...(options.processLabel === undefined ? {} : { selinuxLabel: options.processLabel }),
    ...(options.caps.length > 0 ? { capabilities: withCapabilities(base, options.caps) } : {}),
  };
}

/** Inheritable stays as it is: CVE-2022-29162. */
function withCapabilities({ capabilities = {} }: Process, caps: readonly string[]) {
  const added = (list: readonly string[] = []) => [...new Set([...list, ...caps])];
  return {
    ...capabilities,
    bounding: added(capabilities.bounding),
    effective: added(capabilities.effective),
    permitted: added(capabilities.permitted),
  };
}
