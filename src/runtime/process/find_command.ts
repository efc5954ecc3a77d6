/**
 * Finds the command before the container counts as created, so that a missing one is an error of `create` and not of
 * `start`: in the PATH of the container's environment as execvp(3) does, with the rights of the container's user.
 */
import { AT_FDCWD, O_DIRECTORY, O_PATH, O_WRONLY } from "../../linux/abi/fcntl.ts";
import type { Program } from "../../linux/program.ts";
import type { Argument, Variable } from "../../linux/step.ts";
import { type Command, SECTION_EXECUTE, searchPath } from "./execute.ts";

/** Name of the section that fails when there is no such command. */
export const SECTION_FIND = "find the command";
/** faccessat(2) */
const X_OK = 1;

/** Leaves the address of the command's path in the returned variable. */
export function planFindCommand(program: Program, command: Command): Variable {
  const path = program.section(SECTION_FIND).variable("path");
  const found = program.label();
  for (const candidate of searchPath(command)) {
    const next = program.label();
    const isFile = program.label();
    program.step("faccessat", AT_FDCWD, candidate, X_OK).onError(next);
    program.openat(AT_FDCWD, candidate, O_PATH | O_DIRECTORY).onError(isFile);
    // A directory may be entered, not executed. This open fails, which the report then names: EISDIR.
    program.openat(AT_FDCWD, candidate, O_WRONLY).onError(next);
    program.place(isFile).add(candidate, 0).into(path).onSuccess(found);
    program.place(next);
  }
  program.jump(program.giveUp);
  program.place(found);
  return path;
}

/** The last step. */
export function planExecuteFound(
  program: Program,
  path: Variable,
  { argv, envp }: { readonly argv: Argument; readonly envp: Argument },
): void {
  program.section(SECTION_EXECUTE).execve(path, argv, envp);
}
