/**
 * What a user reads when a container does not start: from the step that failed to a sentence with a way out, and to
 * docker's exit codes: 125 ours, 126 cannot be executed, 127 not found.
 */
import { BunkerError, type ErrorDetails } from "../errors.ts";
import { EACCES, EISDIR, ENOENT, ENOEXEC, ENOTDIR, errnoName } from "../linux/abi/errno.ts";
import { failureError } from "../linux/failure.ts";
import type { ProgramFailure } from "../linux/spawn.ts";
import { choosePlatform, formatPlatform, hostPlatform, type Platform } from "../oci/platform.ts";
import { SECTION_IDENTITY } from "../runtime/process/credentials.ts";
import { SECTION_EXECUTE, SECTION_WORKDIR } from "../runtime/process/execute.ts";
import type { Spec } from "../runtime/spec/config.ts";

/** A container could not be started. */
export class ContainerError extends BunkerError {
  readonly code = "CONTAINER";
  /** Exit code of `bunker run`. */
  readonly exitCode: number;

  constructor(message: string, details: ErrorDetails & { readonly exitCode?: number } = {}) {
    super(message, details);
    this.exitCode = details.exitCode ?? 125;
  }
}

/** The image of a container that did not start. */
export interface FailedImage {
  /** As the user named it. */
  readonly image: string;
  /** What the image says that it is for. */
  readonly platform: Platform;
}

/** Explains why the program of a container gave up. */
export function explainFailure(failure: ProgramFailure, spec: Spec, failed: FailedImage): ContainerError {
  if (failure.step.purpose === SECTION_EXECUTE) return explainExecute(failure, spec, failed);
  const cause = failureError(failure);
  if (failure.step.purpose === SECTION_WORKDIR) {
    return new ContainerError(`Cannot enter the working directory "${spec.process.cwd}"`, {
      cause,
      hint: "Choose a directory that exists in the image: bunker run -w DIR …",
      exitCode: 126,
    });
  }
  return new ContainerError(`Cannot ${failure.step.purpose}`, { cause, ...hintFor(failure) });
}

function hintFor({ step, errno }: ProgramFailure): ErrorDetails {
  const code = errnoName(errno);
  if (code === "ENOENT" && step.name === "open_tree") return { hint: "Check that the host path exists" };
  if (code === "EINVAL" && step.name === "move_mount") {
    return {
      hint: "Mount a directory on a directory, and a file on a file",
    };
  }
  if (code === "ENOSYS") return { hint: "Use Linux 5.12 or newer, or a sandbox that allows this call" };
  if (code === "EINVAL" && step.purpose === SECTION_IDENTITY) {
    return { hint: "Give yourself ranges of ids in /etc/subuid and /etc/subgid, and install uidmap" };
  }
  if (code === "ELOOP") return { hint: "The image has a symbolic link there, which is not followed" };
  if (code === "EPERM" || code === "EACCES") {
    return {
      hint: "Run bunker info to see what this machine allows, and bunker run --explain for every call",
    };
  }
  return {};
}

function explainExecute(failure: ProgramFailure, { process }: Spec, failed: FailedImage): ContainerError {
  const command = process.args[0] as string;
  const cause = failureError(failure);
  const inPath = command.includes("/") ? "" : " in the container's $PATH";
  switch (failure.errno) {
    case ENOENT:
    case ENOTDIR:
      return new ContainerError(`Cannot find the command "${command}"${inPath}: no such file`, {
        cause,
        hint: `Check the name; if the file exists in "${failed.image}", its interpreter or loader is missing`,
        exitCode: 127,
      });
    case EACCES:
    case EISDIR:
      if (inPath !== "") return notFoundInPath(command, cause);
      return new ContainerError(`Cannot execute "${command}": permission denied`, {
        cause,
        hint: "It has to be a file, not a directory, and executable for the container's user",
        exitCode: 126,
      });
    case ENOEXEC:
      return new ContainerError(`Cannot execute "${command}": exec format error`, {
        cause,
        hint: formatHint(failed.platform),
        exitCode: 126,
      });
    default:
      return new ContainerError(`Cannot execute "${command}"`, { cause, exitCode: 126 });
  }
}

/** A machine also runs older variants and 32-bit siblings of its own platform: there the file itself is at fault. */
function formatHint(platform: Platform): string {
  const machine = hostPlatform();
  if (choosePlatform(machine, [platform]) !== undefined) {
    return "The file is for another processor, or a script without a #! line";
  }
  const [image, own] = [formatPlatform(platform), formatPlatform(machine)];
  return `The image is for ${image}, this machine is ${own}: choose another --platform`;
}

/** docker's look-up passes over files that may not be executed. */
function notFoundInPath(command: string, cause: unknown): ContainerError {
  return new ContainerError(
    `Cannot find the command "${command}" in the container's $PATH: no executable file`,
    {
      cause,
      hint: "Check the name, or give the whole path",
      exitCode: 127,
    },
  );
}
