/** What the kernel says of a process: proc_pid_stat(5). */
import { ESRCH } from "./abi/errno.ts";
import { SyscallError } from "./call.ts";
import { readSmallText } from "./small_file.ts";

/** A process that exists. */
export interface ProcessStat {
  /** `R`, `S`, `T`, `Z` … */
  readonly state: string;
  readonly parent: number;
  /** Ticks after the machine's start: with the id, what tells a process from a later one of the same id. */
  readonly startTime: number;
  /** It is in exit(2) or dies of a signal: its files may be closed some time before it is a zombie. */
  readonly exiting: boolean;
}

/** linux/sched.h; proc_pid_stat(5) shows a process's flags. */
const PF_EXITING = 0x4;

/**
 * Undefined when there is no process `pid`.
 * @throws {SyscallError} when that cannot be found out: EMFILE … is no proof that a process has ended.
 */
export function readProcessStat(pid: number): ProcessStat | undefined {
  const text = readUnlessGone(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The command's name may hold spaces and brackets: the fields begin after the last one.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return {
    state: fields[0] ?? "X",
    parent: Number(fields[1]),
    startTime: Number(fields[19]),
    exiting: (Number(fields[6]) & PF_EXITING) !== 0,
  };
}

/** ESRCH from read(2) when the process ends in between. */
function readUnlessGone(path: string): string | undefined {
  try {
    return readSmallText(path);
  } catch (error) {
    if (error instanceof SyscallError && error.errno === ESRCH) return undefined;
    throw error;
  }
}
