/** What goes on in the foreground while a command runs: signals and the terminal are passed on, then its status is read. */

import { forwardSignals } from "../../linux/forward_signals.ts";
import { readProcessStat } from "../../linux/process_stat.ts";
import { receiveMessage } from "../../linux/socket_pair.ts";
import { waitForExit } from "../../linux/wait.ts";
import type { Linux } from "../../oci/bundle/config.ts";
import { ProgramEndedError, type StartedBundle } from "../../runtime/bundle_start.ts";
import { RuntimeError } from "./context.ts";
import type { FailedProcess } from "./start_error.ts";
import type { StateFile } from "./state_file.ts";

/** A signal's share of a status, as in a shell. */
const SIGNAL_STATUS = 128;

/** Waits for the command, which is a child of this process. @returns its status: 0 to 255. */
export async function superviseCommand({
  pidfd,
  master,
}: Pick<StartedBundle, "pidfd" | "master">): Promise<number> {
  forwardSignals(pidfd);
  const relay = master === undefined ? undefined : await relayOf(master, pidfd);
  const exit = waitForExit(pidfd);
  relay?.finish();
  return "code" in exit ? exit.code : SIGNAL_STATUS + exit.signal;
}

async function relayOf(master: number, pidfd: number) {
  const { relayTerminal } = await import("../../runtime/terminal_relay.ts");
  return relayTerminal(master, { pidfd, input: true });
}

/** The command that is to be executed. */
export interface AwaitedCommand {
  readonly process: FailedProcess;
  readonly linux: Linux;
  readonly file: StateFile;
}

/**
 * Waits until the command is executed: the program's end of the socket closes then.
 * @throws {RuntimeError} when it cannot be.
 */
export async function awaitCommand(started: StartedBundle, awaited: AwaitedCommand): Promise<void> {
  const { process, linux, file } = awaited;
  const { bytes } = started.page;
  if (file.listener !== undefined) {
    const { deliverListener } = await import("./listener.ts");
    deliverListener(file, { pidfd: started.pidfd, pid: started.pid, page: bytes });
  }
  receiveMessage(started.socket);
  const failure = await started.failure();
  if (failure === undefined) return checkKilled(started, awaited);
  const exit = waitForExit(started.pidfd);
  const [{ seccompReason }, { failedStepOf, programError, stepError }] = await Promise.all([
    import("./seccomp_reason.ts"),
    import("./start_error.ts"),
  ]);
  const failed = failedStepOf(failure);
  const reason = await seccompReason(linux, failed);
  if (reason !== undefined) throw stepError({ ...failed, reason }, process);
  throw programError(new ProgramEndedError(exit, failure, bytes), process);
}

/** A filter that kills leaves no report: the process goes, and the filter says why. */
async function checkKilled({ pid, pidfd }: StartedBundle, { linux }: AwaitedCommand): Promise<void> {
  if (linux.seccomp === undefined || readProcessStat(pid)?.exiting === false) return;
  const { seccompReason } = await import("./seccomp_reason.ts");
  const reason = await seccompReason(linux, "killed");
  if (reason === undefined) return;
  waitForExit(pidfd);
  throw new RuntimeError(`cannot execute the command: ${reason}`);
}
