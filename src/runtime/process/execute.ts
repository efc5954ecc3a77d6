/**
 * The last steps: the working directory, the seccomp filter, and execve(2) of the command, which is looked up in the
 * PATH of the container's environment as execvp(3) does. After the filter nothing but execve and exit is called.
 */
import { EACCES, ENOENT, ENOTDIR } from "../../linux/abi/errno.ts";
import type { Program } from "../../linux/program.ts";
import { reportAddress } from "../../linux/program_core.ts";
import type { Argument, Words } from "../../linux/step.ts";
import type { Process } from "../spec/config.ts";
import { identityLayout } from "./identity.ts";

/** Names of the sections whose failure has an exit code of its own: engine/container_error.ts. */
export const SECTION_EXECUTE = "execute the command";
export const SECTION_WORKDIR = "enter the working directory";
/** Longest path of the kernel (limits.h), for getcwd(2). */
const PATH_MAX = 4096;

/** Search path of a container whose environment has none, as docker sets it. */
export const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Enters the working directory and makes sure that it lies in the container (CVE-2024-21626). */
export function planWorkingDirectory(program: Program, cwd: string): void {
  const buffer = program.room(PATH_MAX);
  const inside = program.label();
  program.section(SECTION_WORKDIR).chdir(cwd);
  program.getcwd(buffer, PATH_MAX);
  // A directory outside the root reads "(unreachable)/…".
  program.field(buffer, 0, 0xff, "/".charCodeAt(0)).onZero(inside);
  program.jump(program.giveUp);
  program.place(inside);
}

/** envp of the command; HOME comes from the report page when the parent looks the user up. */
export function environment(program: Program, process: Process): Words {
  const known: Argument[] = [...process.env];
  if (process.user === undefined && !process.env.some((entry) => entry.startsWith("HOME="))) {
    known.push(reportAddress + identityLayout.home);
  }
  return program.words(...known, 0);
}

/** Errors of a candidate after which docker's look-up goes on with the next directory. */
const passedOver = [ENOENT, EACCES, ENOTDIR];

/** Executes the command: each candidate of the search path in turn. */
export function planExecute(program: Program, process: Process): void {
  const candidates = searchPath(process);
  const envp = environment(program, process);
  for (const path of candidates) {
    const failed = program.label();
    const next = program.label();
    program.section(SECTION_EXECUTE).execve(path, process.args, envp).onError(failed);
    program.place(failed);
    if (path !== candidates.at(-1)) {
      for (const errno of passedOver) program.whenErrno(errno, next);
    }
    program.jump(program.giveUp);
    program.place(next);
  }
}

/** What is to be executed, with its environment. */
export interface Command {
  readonly args: readonly string[];
  /** `KEY=value` */
  readonly env: readonly string[];
}

/** Paths to try for argv[0], in order. */
export function searchPath({ args, env }: Command): string[] {
  const command = args[0] as string;
  if (command.includes("/")) return [command];
  const path = env.findLast((entry) => entry.startsWith("PATH="))?.slice(5) ?? DEFAULT_PATH;
  return path.split(":").map((directory) => `${directory === "" ? "." : directory}/${command}`);
}
