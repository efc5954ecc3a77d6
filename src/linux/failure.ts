/** A step that failed, as an error that reads like strace(1). */
import { SyscallError } from "./call.ts";
import { describeStep } from "./explain.ts";
import type { ProgramFailure } from "./spawn.ts";

/** The failing step as a call with its error; what only the running program knew is shown by name. */
export function failureError({ step, errno }: ProgramFailure): SyscallError {
  return new SyscallError({ name: step.name, text: describeStep(step), errno });
}
