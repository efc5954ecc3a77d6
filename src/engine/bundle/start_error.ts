/**
 * What a caller reads when a container does not start. Podman, containerd and others look for words of runc's messages
 * ("executable file not found", "no such file or directory", "permission denied"), so they stand in these.
 */
import { EACCES, EISDIR, ENOENT, ENOEXEC, ENOTDIR, errnoName } from "../../linux/abi/errno.ts";
import { SIGKILL } from "../../linux/abi/sched.ts";
import { describeStep } from "../../linux/explain.ts";
import type { ProgramFailure } from "../../linux/spawn.ts";
import type { ProgramEndedError } from "../../runtime/bundle_start.ts";
import { SECTION_EXECUTE, SECTION_WORKDIR } from "../../runtime/process/execute.ts";
import { SECTION_FIND } from "../../runtime/process/find_command.ts";
import { formatHookFailure } from "../../runtime/process/hook_report.ts";
import { RuntimeError } from "./context.ts";

/** The step that failed, in words. */
export interface FailedStep {
  readonly purpose: string;
  /** The call, with its arguments where they are known. */
  readonly call: string;
  readonly errno: number;
  /** What is behind it, in words: a filter. */
  readonly reason?: string;
}

/** The process of a container whose step failed. */
export interface FailedProcess {
  readonly args: readonly string[];
  readonly cwd: string;
}

/** Why the program of a container has ended before it was complete. */
export function programError(
  { failure, hook, exit }: ProgramEndedError,
  process: FailedProcess,
): RuntimeError {
  if (hook !== undefined) return new RuntimeError(formatHookFailure(hook));
  if (failure !== undefined) return stepError(failedStepOf(failure), process);
  if ("signal" in exit && exit.signal === SIGKILL) {
    return new RuntimeError("container init was OOM-killed (memory limit too low?)", {
      hint: "Raise linux.resources.memory.limit, unless somebody else has sent SIGKILL",
    });
  }
  if ("signal" in exit) {
    return new RuntimeError(
      `container init was ended by signal ${exit.signal} before the container was complete`,
    );
  }
  return new RuntimeError(`container init exited with status ${exit.code} before the container was complete`);
}

/** A failure of a program in words. */
export const failedStepOf = ({ step, errno }: ProgramFailure): FailedStep => ({
  purpose: step.purpose,
  call: describeStep(step),
  errno,
});

/** The error for a step that failed. */
export function stepError(step: FailedStep, process: FailedProcess): RuntimeError {
  const error = errorOf(step, process);
  return step.reason === undefined ? error : new RuntimeError(`${error.message}: ${step.reason}`);
}

function errorOf(step: FailedStep, { args, cwd }: FailedProcess): RuntimeError {
  const command = args[0] ?? "";
  if (step.purpose === SECTION_FIND) return notFound(command, step.errno);
  if (step.purpose === SECTION_EXECUTE) return notExecuted(command, step.errno);
  // By name: podman takes the texts of these errors for those of a command (exit codes 126 and 127).
  const because = `${step.call}: ${errnoName(step.errno)}`;
  if (step.purpose === SECTION_WORKDIR) {
    return new RuntimeError(`chdir to cwd ("${cwd}") set in config.json failed: ${because}`);
  }
  return new RuntimeError(`cannot ${step.purpose}: ${because}`);
}

function notFound(command: string, errno: number): RuntimeError {
  if (!command.includes("/")) {
    return new RuntimeError(`exec: "${command}": executable file not found in $PATH`, {
      hint: "Check process.args[0], and PATH in process.env",
    });
  }
  if (errno === ENOENT || errno === ENOTDIR) {
    return new RuntimeError(`exec: "${command}": stat ${command}: ${describeErrno(errno)}`);
  }
  const reason = errno === EISDIR || errno === EACCES ? describeErrno(EACCES) : describeErrno(errno);
  return new RuntimeError(`exec: "${command}": ${reason}`, {
    hint: "It has to be a file, not a directory, and executable for process.user",
  });
}

const executeHints: Readonly<Record<number, string>> = {
  [ENOENT]:
    "The file exists, but its interpreter (after #!, without a carriage return) or its loader does not",
  [ENOEXEC]: "The file is for another processor, or a script without a #! line",
  [EACCES]: "It lies on a mount with noexec, or its interpreter may not be executed",
};

function notExecuted(command: string, errno: number): RuntimeError {
  const hint = executeHints[errno];
  return new RuntimeError(`exec ${command}: ${describeErrno(errno)}`, hint === undefined ? {} : { hint });
}

/** strerror(3) of the errors that callers look for; others by name. */
const errnoTexts: Readonly<Record<string, string>> = {
  EPERM: "operation not permitted",
  ENOENT: "no such file or directory",
  EACCES: "permission denied",
  ENOEXEC: "exec format error",
  ENOTDIR: "not a directory",
  EISDIR: "is a directory",
  EINVAL: "invalid argument",
  ELOOP: "too many levels of symbolic links",
  ENOSYS: "function not implemented",
  EBUSY: "device or resource busy",
  ESRCH: "no such process",
  ENOSPC: "no space left on device",
  EROFS: "read-only file system",
};

/** `no such file or directory` */
const describeErrno = (errno: number): string => errnoTexts[errnoName(errno)] ?? errnoName(errno);
